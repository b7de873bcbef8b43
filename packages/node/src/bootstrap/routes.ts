import type { HelloAnswer } from "@halon/api";
import type { HelloRequest } from "@halon/protocol";

/** What a node answers to others while its cluster begins; the listener asks it from its first request on. */
export interface BootstrapRoutes {
  /** For `GET /id`. */
  id(): { readonly id: string; readonly name: string; readonly clusterId: string | null };
  /** For `POST /hello`, and for `GET` (undefined). Rejects with HAL_CONFLICT or HAL_NO_LEADER. */
  hello(request: HelloRequest | undefined): Promise<HelloAnswer>;
  /** What the node waits for, for `GET /readyz`. */
  waitsFor(): string;
}
