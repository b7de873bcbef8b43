import type { MemberId } from "./configuration.ts";

/** What a member must not forget besides its entries (Raft §5.2, figure 2 "persistent state"). */
export interface HardState {
  readonly term: number;
  readonly votedFor: MemberId | null;
}
