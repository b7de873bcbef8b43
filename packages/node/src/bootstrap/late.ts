import type { HelloAnswer } from "@halon/api";
import type { HelloRequest, Peer } from "@halon/protocol";
import type { CompleteSetup } from "../core/bootstrap-setup.ts";

/** What a running node knows when it is said hello to. */
export interface LateOptions {
  readonly setup: CompleteSetup;
  /** `host:port` of the leader; null where there is none. */
  leader(): string | null;
  /** The nodes of the graph. */
  nodes(): readonly Pick<Peer, "name" | "address">[];
}

/** Answers `/hello` on a node of a complete cluster: the leader takes satellites in, others send to it. */
export function answerLate(
  _options: LateOptions,
  _request: HelloRequest | undefined,
): Promise<HelloAnswer> {
  return Promise.reject(new Error("not written yet"));
}
