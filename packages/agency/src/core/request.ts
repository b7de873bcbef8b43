import type { ReadTransaction, TransactItem, WriteTransaction } from "@halon/kv";
import type { MemberChange, MemberId, Refusal } from "@halon/raft";

/** Header `X-ArangoDB-Agency-Mode`; an unknown value means `waitForSequenced`. */
export type WriteMode = "waitForCommitted" | "waitForSequenced" | "noWait";

/** What a client asks of the leader, parsed. */
export type AgencyRequest =
  | {
      readonly type: "write";
      readonly transactions: readonly WriteTransaction[];
      readonly mode: WriteMode;
    }
  | { readonly type: "transact"; readonly items: readonly TransactItem[] }
  | { readonly type: "transient"; readonly items: readonly TransactItem[] }
  | { readonly type: "read"; readonly transactions: readonly ReadTransaction[] }
  | { readonly type: "inquire"; readonly ids: readonly string[]; readonly wait: boolean }
  /** Entries from `index` on, now or when they are committed. */
  | { readonly type: "poll"; readonly index: number; readonly timeoutMs: number }
  | { readonly type: "changeMembers"; readonly change: MemberChange }
  | { readonly type: "transferLeader"; readonly to: MemberId };

/** What comes of a request; every one ends in one of these. */
export type AgencyAnswer =
  /** Index of each transaction, 0 where it was not applied. 403: one was forbidden; else 412: a precondition failed. */
  | {
      readonly type: "written";
      readonly status: 200 | 403 | 412;
      readonly results: readonly number[];
    }
  /** JSON text for the client. */
  | { readonly type: "json"; readonly status: number; readonly text: string }
  /** The change of members, or of the leader, has taken place. */
  | { readonly type: "done" }
  | { readonly type: "refused"; readonly reason: Refusal; readonly message: string }
  /** Not this member's to answer; nothing was done. */
  | { readonly type: "notLeader"; readonly leaderId: MemberId }
  | { readonly type: "noLeader" }
  /** Too much waits; nothing was done. */
  | { readonly type: "busy" }
  /** Leadership was lost while it waited: whether it took place is not known. */
  | { readonly type: "lostLeadership" }
  /** No commit in time: whether it takes place is not known. */
  | { readonly type: "notCommitted" };
