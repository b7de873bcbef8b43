import type { Json } from "@halon/protocol";
import type { Runner, RunnerEvent } from "../runner.ts";
import type { ServicePort } from "./port.ts";

/** The instances that a service can talk to. */
export interface Directory {
  lookup(service: string): Promise<readonly { readonly instance: string; readonly node: string }[]>;
  call(instance: string, message: string, args: readonly Json[]): Promise<Json>;
}

/** The host's side of one service, whatever it runs in. */
export interface ServiceClient
  extends Pick<Runner, "requestStop" | "check" | "status" | "reconfigure" | "call"> {
  alive(timeoutMs: number): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  answerTrouble(ref: string, answer: "goOn" | "restart" | "stop", data?: Json): void;
  /** Rejects all calls that are pending or come later. */
  close(reason: string): void;
}

/** Talks to the `serve` at the other end of the port; all that it tells is parsed before `listener` has it. */
export function connectService(
  _port: ServicePort,
  _options: {
    readonly directory?: Directory | undefined;
    listener(event: RunnerEvent): void;
    /** The counter of its beats, of a service side that has no shared memory. */
    beat?(memoryKib: number): void;
  },
): ServiceClient {
  throw new Error("not built yet");
}
