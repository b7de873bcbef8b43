import type { KvState, Notification } from "@halon/kv";
import type { Effect, SnapshotMeta } from "@halon/raft";
import type { AgencyAnswer } from "./request.ts";

/**
 * Work that a replica asks its driver to do, in order; see raft's `Effect` for what may overlap.
 *
 * The first line is raft's own, as they come; `commit`, `proposed` and the rest of raft's effects end here.
 */
export type ReplicaEffect =
  | Extract<
      Effect,
      {
        readonly type:
          | "send"
          | "persist"
          | "sendSnapshot"
          | "receiveSnapshot"
          | "installSnapshot"
          | "removed";
      }
    >
  | { readonly type: "answer"; readonly id: number; readonly answer: AgencyAnswer }
  /** Committed entries wait to be applied: give `apply` soon, after what else waits. */
  | { readonly type: "applyMore" }
  /** Save this state; then give `snapshotSaved`. One at a time. */
  | { readonly type: "takeSnapshot"; readonly snapshot: SnapshotMeta; readonly state: KvState }
  /** Entries before `firstIndex` are not needed on disk any more. */
  | { readonly type: "compactLog"; readonly firstIndex: number }
  /** Of a leader: observers to be told of one committed entry, best effort. */
  | {
      readonly type: "notify";
      readonly term: number;
      readonly notifications: readonly Notification[];
    };
