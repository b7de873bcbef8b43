import type { Configuration, MemberId } from "./configuration.ts";
import type { Entry } from "./entry.ts";
import type { HardState } from "./hard-state.ts";
import type { SnapshotMeta } from "./snapshot.ts";

/** Fixed for the life of a member. Times in ticks, sizes in bytes. */
export interface RaftOptions {
  readonly heartbeatTicks: number;
  /** A follower campaigns after a random wait of `[electionTicksMin, electionTicksMax]` × `timeoutMult`. */
  readonly electionTicksMin: number;
  readonly electionTicksMax: number;
  /** Longest wait, from 0, after the leader's connection closed. */
  readonly leaderLostTicksMax: number;
  /** Entries of one append, together; a larger single entry goes alone. */
  readonly appendBytesMax: number;
  /** Appends on their way to one follower. */
  readonly inflightMax: number;
  readonly uncommittedBytesMax: number;
  /** A learner that lacks more entries than this is not promoted. */
  readonly promoteLagMax: number;
  /** Null: reads always ask a majority. Else leases count for `electionTicksMin × (1 − drift)` (thesis §6.4.1). */
  readonly leaseDrift: number | null;
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** The log as a value: appending shares the entries of the state before it. See `log.ts`. */
export interface RaftLog {
  /** The oldest entry held, or the next to come. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Where the log begins: the newest snapshot, or index 0 with the first configuration. */
  readonly snapshot: SnapshotMeta;
  /** The newest entry certain to survive a crash. */
  readonly durableIndex: number;
  /** Internal to `log.ts`. */
  readonly items: readonly Entry[];
}

/** What a leader knows of another member (Raft figure 2 "nextIndex", "matchIndex"). */
export interface Progress {
  readonly matchIndex: number;
  readonly nextIndex: number;
  /** `probe`: one append at a time until one agrees. `replicate`: a window of appends. `snapshot`: chunks. */
  readonly mode: "probe" | "replicate" | "snapshot";
  /** Last index of each append on its way, oldest first. */
  readonly inflight: readonly number[];
  /** Of a snapshot on its way: the bytes that arrived. */
  readonly snapshotOffset: number;
  /** Highest `round` answered. */
  readonly round: number;
  /** `state.now` of the last answer, and of the last append sent to it. */
  readonly ackTick: number;
  readonly appendTick: number;
}

/** One member, as a value: `step` gives the next one and changes nothing. */
export interface RaftState {
  readonly id: MemberId;
  readonly options: RaftOptions;
  readonly role: Role;
  readonly currentTerm: number;
  readonly votedFor: MemberId | null;
  readonly leaderId: MemberId | null;
  readonly log: RaftLog;
  readonly commitIndex: number;
  /** The newest configuration in the log, committed or not (Raft §6), and the index it stands at. */
  readonly configuration: Configuration;
  readonly configurationIndex: number;
  /** Ticks since the start of this process. */
  readonly now: number;
  readonly timeoutMult: number;
  /** Empty unless leader. */
  readonly progress: ReadonlyMap<MemberId, Progress>;
  /** Where leadership is being handed to; null when it is not. */
  readonly transferTo: MemberId | null;
  // The rest is added by the implementation: votes, timers, random seed, reads, pending persists.
}

/** What a driver found on its disk. */
export interface Found {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  /** All durable. */
  readonly entries: readonly Entry[];
}
