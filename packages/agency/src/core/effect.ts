import type { KvState, Notification } from "@halon/kv";
import type { Effect, SnapshotMeta } from "@halon/raft";
import type { AppendAnswer } from "./appends.ts";
import type { Records } from "./records.ts";
import type { AgencyAnswer } from "./request.ts";

/** Why there is no snapshot for the host; nothing was saved. */
export type HostSnapshotRefusal =
  /** A snapshot of another member is being installed, or took its place. */
  | "installing"
  /** The position is not committed and applied here. */
  | "notCommitted"
  /** The newest snapshot has the host's state as of a later position. */
  | "older"
  /** Another one waits. */
  | "busy"
  /** The driver could not save it. */
  | "failed";

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
  /** Of `appendRecord`. */
  | { readonly type: "appended"; readonly id: number; readonly answer: AppendAnswer }
  /** Of `confirmLead`: a majority has confirmed it since, or has not. */
  | { readonly type: "leadConfirmed"; readonly id: number; readonly leads: boolean }
  /**
   * Save this; then give `snapshotSaved` or `snapshotFailed`. One at a time. With the host's state that came with
   * `hostSnapshot` number `hostId`; null: with that of the newest snapshot, whose position is `records.base` too.
   */
  | {
      readonly type: "takeSnapshot";
      readonly snapshot: SnapshotMeta;
      readonly state: KvState;
      readonly records: Records;
      readonly hostId: number | null;
    }
  /** Of `hostSnapshot`: it is durable, or why there is none. */
  | {
      readonly type: "hostSnapshotDone";
      readonly id: number;
      readonly refusal: HostSnapshotRefusal | null;
    }
  /** Entries before `firstIndex` are not needed on disk any more. */
  | { readonly type: "compactLog"; readonly firstIndex: number }
  /** Of a leader: observers to be told of one committed entry, best effort. */
  | {
      readonly type: "notify";
      readonly term: number;
      readonly notifications: readonly Notification[];
    };
