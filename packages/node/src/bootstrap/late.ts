import type { HelloAnswer } from "@halon/api";
import { HalonError, type HelloRequest, type Peer } from "@halon/protocol";
import { type HelloVerdict, isPeer, lateHello } from "../core/bootstrap.ts";
import { addressOf, type CompleteSetup } from "../core/bootstrap-setup.ts";

/** What a running node knows when it is said hello to. */
export interface LateOptions {
  readonly setup: CompleteSetup;
  /** `host:port` of the leader; null where there is none. */
  leader(): string | null;
  /** The nodes of the graph. */
  nodes(): readonly Pick<Peer, "name" | "address">[];
}

/**
 * Answers `/hello` on a node of a complete cluster: the leader takes satellites in, others send to it.
 *
 * A node that the configuration lists may have missed its end, perhaps because there is no leader without it, and is
 * answered by any. Rejects with HAL_CONFLICT or HAL_NO_LEADER.
 */
export async function answerLate(
  { setup, leader, nodes }: LateOptions,
  request: HelloRequest | undefined,
): Promise<HelloAnswer> {
  const { clusterId, agencySize, store, peers } = setup;
  const config = { clusterId, agencySize, store, complete: true, peers };
  if (request === undefined) return { type: "config", config };
  // What the configuration alone refuses needs no leader either.
  const verdict = lateHello(config, request);
  if (verdict.type === "refused" || isPeer(config, request)) return answerOf(verdict);
  const address = leader();
  if (address === null) {
    const message = `${setup.name} knows no leader at present, which alone takes nodes in. Try again in a second.`;
    throw new HalonError("HAL_NO_LEADER", message);
  }
  if (address !== addressOf(setup)) return { type: "redirect", address };
  return answerOf(lateHello(config, request, nodes()));
}

/** The verdict as an answer; a refusal is thrown. */
export function answerOf(verdict: HelloVerdict): HelloAnswer {
  if (verdict.type === "config") return verdict;
  throw new HalonError(verdict.code, verdict.message);
}
