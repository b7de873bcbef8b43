import type { Configuration, MemberId } from "./configuration.ts";
import type { Found, RaftOptions, RaftState } from "./state.ts";

/** What a member starts from. */
export interface Start {
  readonly id: MemberId;
  readonly options: RaftOptions;
  /** 32 bits, another at each start: timeouts and the ids of forwarded reads come from it. */
  readonly seed: number;
  /** Null: a first start. */
  readonly found: Found | null;
  /** Of a first start: the configuration at index 0; empty for a member that waits to be added. */
  readonly configuration: Configuration;
}

/** A member as it starts: a follower that knows what its disk holds. */
export function init(_start: Start): RaftState {
  throw new Error("to come");
}
