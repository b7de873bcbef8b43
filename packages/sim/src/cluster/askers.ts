import { answerOf, type DecisionCore, type LeaseGrants, type Reply } from "@halon/coordinator/core";
import type { World } from "../world.ts";
import { nextNumber, type SimCoordinator, tell } from "./coordinator-thread.ts";
import { saw } from "./world.ts";

/** Whom the reply to an input goes to. */
export type Asker =
  | {
      readonly type: "source";
      readonly source: string;
      readonly incarnation: number;
      readonly sequence: number;
      /** Of the last event that came with it. */
      readonly last: number;
    }
  | { readonly type: "operator"; readonly ref: number }
  | { readonly type: "loss"; readonly node: string };

/** Who reads when all is durable. */
export type Reader =
  | {
      readonly type: "watermark";
      readonly ref: number;
      readonly source: string;
      readonly incarnation: number;
    }
  | { readonly type: "grant"; readonly ref: number };

/** What a coordinator has from when it begins to lead. */
export interface Decider {
  readonly epoch: number;
  readonly loop: DecisionCore;
  readonly grants: LeaseGrants;
  readonly replies: Map<number, Asker>;
  readonly reads: Map<number, Reader>;
  /** Nodes whose leases are asked for, by the number of their main thread. */
  readonly renewing: Map<number, string>;
  /** The proof that is asked for: number of the question, and of the grants. */
  confirming: { readonly id: number; readonly ref: number } | null;
  /** The record that is being appended. */
  append: { readonly id: number; readonly index: number; readonly data: Uint8Array } | null;
}

/** Notes who is to have the reply to an input; its number. */
export function asked(world: World, decider: Decider, asker: Asker): number {
  const number = nextNumber(world);
  decider.replies.set(number, asker);
  return number;
}

/** The loop replies to an input: whoever gave it is told. */
export function reply(
  world: World,
  coordinator: SimCoordinator,
  { replies, grants }: Decider,
  { ref, reply: said }: { readonly ref: number; readonly reply: Reply },
): void {
  const asker = replies.get(ref);
  replies.delete(ref);
  if (asker === undefined) throw new Error(`reply ${ref} comes twice, or to nobody`);
  if (asker.type === "loss") grants.decided(asker.node);
  else if (asker.type === "operator")
    tell(world, coordinator, { type: "reply", ref: asker.ref, reply: said });
  else {
    const { source, incarnation, sequence, last } = asker;
    const answer = answerOf(said, sequence, last);
    if (answer === null) return;
    tell(world, coordinator, { ...answer, source });
    if (answer.type === "ack") {
      const { node } = coordinator;
      saw(world, { type: "acknowledged", node, source, incarnation, sequence });
    }
  }
}
