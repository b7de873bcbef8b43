import type { MessagePort } from "node:worker_threads";
import type { Health, Json, JsonObject } from "@halon/protocol";

/** What a thread is told first: the service that it runs. */
export interface ThreadData {
  /** URL of the compiled service file. */
  readonly blobUrl: string;
  readonly node: string;
  readonly service: string;
  readonly instance: string;
  readonly config: JsonObject;
  readonly resourceKinds: readonly string[];
  readonly beatEveryMs: number;
  /** Two words, at `beatIndex` and `memoryIndex`. */
  readonly shared: SharedArrayBuffer;
  /** Typed calls come in here. */
  readonly calls: MessagePort;
}

/** Position of the beat counter in the shared words. */
export const beatIndex = 0;
/** Position of the sampled memory, in KiB. */
export const memoryIndex = 1;
/** Size of the shared words. */
export const sharedBytes = 8;

/** Calls that the host makes in the thread, through comlink. */
export interface ThreadCalls {
  check(): Promise<{ health: Health; detail?: string }>;
  status(): Promise<Json>;
  reconfigure(config: JsonObject): Promise<"done" | "restart">;
  call(message: string, args: readonly Json[]): Promise<Json>;
}
