import type { MemberId } from "./configuration.ts";
import type { Entry } from "./entry.ts";
import type { HardState } from "./hard-state.ts";
import type { Message } from "./message.ts";
import type { SnapshotMeta } from "./snapshot.ts";

/** Why an input was not carried out; nothing of it took place. */
export type Refusal =
  | "notLeader"
  /** Leadership is being handed over. */
  | "transferring"
  /** More than `uncommittedBytesMax` wait for commit. */
  | "full"
  /** A change of members waits for commit, or no entry of this term is committed yet (thesis §4.1, 2015 erratum). */
  | "changePending"
  | "unknownMember"
  | "lastVoter"
  | "behind"
  /** More than `votersMax` voters or `membersMax` members. */
  | "tooMany"
  | "nothingToDo";

/**
 * Work that `step` asks its driver to do.
 *
 * The driver begins effects in array order, those of an earlier step first. `persist` is begun and not waited
 * for; persists become durable in order. What must not be said before it is durable stands in `whenDurable` and
 * is sent then, and only then (Raft §5.2 votes, §5.3 acknowledgements); then the driver gives `persisted`.
 */
export type Effect =
  | { readonly type: "send"; readonly message: Message }
  | {
      readonly type: "persist";
      readonly ticket: number;
      /** Null: unchanged. Written before entries of its term. */
      readonly hardState: HardState | null;
      /** Entries from here on are dropped before `entries` are appended. Null: none. */
      readonly truncateFrom: number | null;
      readonly entries: readonly Entry[];
      readonly whenDurable: readonly Message[];
    }
  /** Entries up to `index` are committed; `entriesOf(state.log, from, index)` has them. */
  | { readonly type: "commit"; readonly index: number }
  | { readonly type: "proposed"; readonly index: number; readonly term: number }
  | {
      readonly type: "refused";
      readonly what: "propose" | "changeMembers" | "transfer";
      readonly reason: Refusal;
    }
  /** The state as of `index`, or later, may answer these reads. */
  | { readonly type: "readReady"; readonly ids: readonly number[]; readonly index: number }
  | { readonly type: "readFailed"; readonly ids: readonly number[] }
  /** Send the bytes of the stored snapshot from `offset` on, at most `snapshotChunkBytes`, as `snapshotChunk`. */
  | {
      readonly type: "sendSnapshot";
      readonly to: MemberId;
      readonly snapshot: SnapshotMeta;
      readonly offset: number;
      readonly round: number;
    }
  /** Keep these bytes of an incoming snapshot; `offset` 0 begins anew. Not durable yet. */
  | {
      readonly type: "receiveSnapshot";
      readonly snapshot: SnapshotMeta;
      readonly offset: number;
      readonly data: Uint8Array;
    }
  /**
   * Make the received bytes the snapshot, durably, then the state. `keepLog`: entries after it agree and stay;
   * else the log is emptied and goes on after it. Then send `whenDurable` and give `snapshotInstalled`.
   */
  | {
      readonly type: "installSnapshot";
      readonly snapshot: SnapshotMeta;
      readonly keepLog: boolean;
      readonly whenDurable: readonly Message[];
    }
  /** The committed configuration has no place for this member. */
  | { readonly type: "removed" };
