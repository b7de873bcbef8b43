import type { KvState } from "@halon/kv";
import type { MemberId, Message, SnapshotMeta } from "@halon/raft";
import type { Records } from "./records.ts";
import type { AgencyRequest } from "./request.ts";

/** The time of an input. `ms` is monotonic since any moment, `wallMs` is for display. */
export interface Clock {
  readonly ms: number;
  readonly wallMs: number;
}

/** What happens to a replica. Ids are the driver's and never come twice. */
export type ReplicaInput =
  /** One tick of raft's clock has passed. */
  | ({ readonly type: "tick" } & Clock)
  | { readonly type: "receive"; readonly message: Message }
  /** Gathered until the next `flush`; a member that does not lead answers at once. */
  | { readonly type: "request"; readonly id: number; readonly request: AgencyRequest }
  /** A slot of the host's log, proposed at once when this member leads in the term `epoch` and `position` is next. */
  | {
      readonly type: "appendRecord";
      readonly id: number;
      readonly epoch: number;
      readonly position: number;
      readonly data: Uint8Array;
    }
  /** Asks whether this member leads in the term `epoch`: answered by `leadConfirmed`. */
  | { readonly type: "confirmLead"; readonly id: number; readonly epoch: number }
  /** The driver has the host's state as of `position`, and asks for a snapshot of the member with it. */
  | { readonly type: "hostSnapshot"; readonly id: number; readonly position: number }
  /** The turn is over: what was gathered is sequenced in one entry. */
  | ({ readonly type: "flush" } & Clock)
  /** All up to this `persist` effect is durable. */
  | { readonly type: "persisted"; readonly ticket: number }
  /** Asked for by `applyMore`. */
  | { readonly type: "apply" }
  /** What `takeSnapshot` asked for is durable, and how large it is. */
  | { readonly type: "snapshotSaved"; readonly snapshot: SnapshotMeta; readonly bytes: number }
  /** What `takeSnapshot` asked for cannot be had, though the disk is well: the host's state did not come. */
  | { readonly type: "snapshotFailed"; readonly snapshot: SnapshotMeta }
  /** What `installSnapshot` asked for is durable, its messages are sent; `state` and `records` are what it held. */
  | {
      readonly type: "snapshotInstalled";
      readonly snapshot: SnapshotMeta;
      readonly state: KvState;
      readonly records: Records;
      readonly bytes: number;
    }
  | { readonly type: "peerLost"; readonly peer: MemberId }
  /** The driver cannot go on leading: a full disk, a shutdown. */
  | { readonly type: "stepDown" }
  /** A leader steps into a new term, so that nothing more comes of appends under the present one. */
  | { readonly type: "campaign" }
  /** How much longer than by default this machine needs its timeouts, 1 to 10. */
  | { readonly type: "load"; readonly timeoutMult: number };
