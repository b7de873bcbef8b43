import type { Effect, Refusal } from "./effect.ts";
import type { Input } from "./input.ts";
import type { RaftState } from "./state.ts";

/** Advances a member by one input. Equal arguments give equal results, and `state` stays as it is. */
export function step(_state: RaftState, _input: Input): readonly [RaftState, readonly Effect[]] {
  throw new Error("to come");
}

/** Why a proposal would be refused now; null when it would be taken. */
export function canPropose(_state: RaftState): Refusal | null {
  throw new Error("to come");
}
