import type { Health, Json, JsonObject } from "@halon/protocol";
import type { TroubleAnswer } from "../../definition.ts";
import type { ServicePort } from "./port.ts";

/** The service that a service side runs. Plain data: it crosses threads and processes. */
export interface ServiceData {
  /** URL of the compiled service file. */
  readonly blobUrl: string;
  readonly node: string;
  readonly service: string;
  readonly instance: string;
  readonly config: JsonObject;
  readonly resourceKinds: readonly string[];
  readonly fencingToken?: number;
}

/** What became of a call of the service to another, or of a question of it. */
export type ReplyToService =
  | { readonly type: "value"; readonly value: Json }
  | { readonly type: "error"; readonly code: string; readonly message: string };

/** Calls that the host makes on the service side, through comlink. */
export interface ServiceCalls {
  /** Aborts the signal of the context; heard while the service loads and starts, too. */
  stop(): void;
  check(): Promise<{ health: Health; detail?: string }>;
  /** Liveness; true where the type has no `alive`. */
  alive(): Promise<boolean>;
  status(): Promise<Json>;
  reconfigure(config: JsonObject): Promise<"done" | "restart">;
  call(message: string, args: readonly Json[]): Promise<Json>;
  answerTrouble(ref: string, answer: TroubleAnswer): void;
  /** Answers the `asked` event with that number. */
  reply(ref: number, reply: ReplyToService): void;
}

/** What the service side needs of the thread or process that it is in. */
export interface ServeOptions {
  readonly data: ServiceData;
  /** Calls come in and events go out here, as `{ event }`; see `wire.ts` for the events. */
  readonly port: ServicePort;
  /** Takes what the service logs; a line with its end. */
  write(text: string): void;
  /** Called once, when the service has ended: its thread or process ends next, or lets it go. */
  ended(code: number): void;
}

/** A service that runs or ends. */
export interface Served {
  /** Ends the service, for what it did outside of a call: `problem` is told, then `ended` called. */
  fail(error: unknown): void;
}

/** Loads the service file, starts the service, and answers for it until it has ended. Never throws. */
export function serve(_options: ServeOptions): Served {
  throw new Error("not built yet");
}
