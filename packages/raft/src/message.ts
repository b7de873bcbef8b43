import type { MemberId } from "./configuration.ts";
import type { Entry } from "./entry.ts";
import type { SnapshotMeta } from "./snapshot.ts";

interface Envelope {
  readonly from: MemberId;
  readonly to: MemberId;
  /** The sender's term; of a pre-vote, the term that it would campaign in. */
  readonly term: number;
}

/**
 * What members say to each other. Every request of a leader carries `round`, a number that grows; the answer
 * carries it back, so that a majority of answers to rounds begun after a read proves the leader (Raft §8).
 */
export type Message = Envelope &
  (
    | {
        readonly type: "requestVote";
        readonly preVote: boolean;
        /** Asked for by the leader itself: goes past "I hear from a leader" (thesis §3.10). */
        readonly transfer: boolean;
        readonly lastIndex: number;
        readonly lastTerm: number;
      }
    | { readonly type: "voteResponse"; readonly preVote: boolean; readonly granted: boolean }
    | {
        readonly type: "append";
        readonly prevIndex: number;
        readonly prevTerm: number;
        readonly entries: readonly Entry[];
        readonly commitIndex: number;
        readonly round: number;
      }
    | {
        readonly type: "appendResponse";
        readonly round: number;
        /** The last entry that this append proved equal, and that is durable. Null: refused. */
        readonly matchIndex: number | null;
        /** Of a refusal: the `prevIndex` refused, and where the follower's log may agree (§5.3). */
        readonly rejectedIndex: number;
        readonly hintIndex: number;
        readonly hintTerm: number;
      }
    | {
        readonly type: "heartbeat";
        readonly commitIndex: number;
        readonly round: number;
        readonly timeoutMult: number;
      }
    | { readonly type: "heartbeatResponse"; readonly round: number; readonly timeoutMult: number }
    | {
        readonly type: "snapshotChunk";
        readonly snapshot: SnapshotMeta;
        readonly offset: number;
        readonly data: Uint8Array;
        /** This chunk is the last. */
        readonly done: boolean;
        readonly round: number;
      }
    | {
        readonly type: "snapshotResponse";
        readonly index: number;
        /** The next byte wanted; of no meaning when `installed`. */
        readonly offset: number;
        /** The follower holds all up to `index`, durable. */
        readonly installed: boolean;
        readonly round: number;
      }
    | { readonly type: "timeoutNow" }
    | { readonly type: "readIndex"; readonly id: number }
    | { readonly type: "readIndexResponse"; readonly id: number; readonly index: number | null }
  );
