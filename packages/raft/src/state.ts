import type { Configuration, MemberId } from "./configuration.ts";
import type { Entry } from "./entry.ts";
import type { HardState } from "./hard-state.ts";
import type { SnapshotMeta } from "./snapshot.ts";
import type { Vector } from "./vector.ts";

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
  readonly items: Vector<Entry>;
}

/** What a leader knows of another member (Raft figure 2 "nextIndex", "matchIndex"). */
export interface Progress {
  readonly matchIndex: number;
  readonly nextIndex: number;
  /** `probe`: one append at a time until one agrees. `replicate`: a window of appends. `snapshot`: chunks. */
  readonly mode: "probe" | "replicate" | "snapshot";
  /** Last index of each append on its way, oldest first. */
  readonly inflight: readonly number[];
  /** The snapshot on its way, the bytes of it that arrived, and the round of the chunk that is not answered. */
  readonly snapshot: SnapshotMeta | null;
  readonly snapshotOffset: number;
  readonly snapshotRound: number;
  /** Highest `round` answered. */
  readonly round: number;
  /** `state.now` of the last answer. */
  readonly ackTick: number;
  /** `state.now` when the oldest request that is not answered became the oldest. */
  readonly appendTick: number;
  /** Of a member that the configuration has left out and that is still told so: the tick of the end. Else null. */
  readonly guestUntil: number | null;
}

/** A configuration in the log, or that of the snapshot, and its index. */
export interface ConfigurationAt {
  readonly index: number;
  readonly configuration: Configuration;
}

/** A `persist` that is not durable yet, and the last index that it makes certain. */
export interface PendingPersist {
  readonly ticket: number;
  readonly index: number;
}

/** A read that waits: of this member when `from` is null. */
export interface WaitingRead {
  readonly id: number;
  readonly from: MemberId | null;
}

/** Reads that wait for one proof of leadership. */
export interface ReadBatch {
  /** Of a leader: answers to this round or a later one count. Of a follower: the id of its `readIndex`. */
  readonly round: number;
  readonly index: number;
  readonly reads: readonly WaitingRead[];
  readonly sinceTick: number;
}

/** A snapshot that arrives: bytes up to `offset` are there. */
export interface IncomingSnapshot {
  readonly snapshot: SnapshotMeta;
  readonly from: MemberId;
  readonly offset: number;
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
  /** A snapshot that the driver was told to install; until it has, this member does not campaign. */
  readonly installing: SnapshotMeta | null;

  // What follows is nobody else's business.

  /** The configuration of the snapshot and those of the entries after it, oldest first. */
  readonly configurations: readonly ConfigurationAt[];
  /** State of the random generator, 32 bits. */
  readonly random: number;
  /** When a leader was last heard; far in the past when forgotten. */
  readonly heardTick: number;
  /** The wait for an election began, and its length before `timeoutMult`. */
  readonly waitSince: number;
  readonly waitTicks: number;
  /** Asked for by this machine; the largest that others asked for of a leader and when last, or that a leader spread. */
  readonly ownMult: number;
  readonly askedMult: number;
  readonly askedTick: number;
  /** Answers to this member's own (pre-)vote request, by member; true: granted. */
  readonly votes: ReadonlyMap<MemberId, boolean>;
  /** Of the last `persist`, of the last durable one, of the last with a hard state. */
  readonly ticket: number;
  readonly durableTicket: number;
  readonly hardStateTicket: number;
  readonly pending: Vector<PendingPersist>;
  readonly incoming: IncomingSnapshot | null;

  /** Of the requests of a leader, within its term. */
  readonly round: number;
  readonly heartbeatTick: number;
  readonly uncommittedBytes: number;
  readonly transferSince: number;
  readonly readsWaiting: Vector<WaitingRead>;
  readonly readsOut: ReadBatch | null;
  /** Numbers the `readIndex` requests of a follower; begins at another number after each start. */
  readonly readSequence: number;
  /** The round whose answers would extend the lease, and when it was begun; -1: none. */
  readonly leaseRound: number;
  readonly leaseRoundTick: number;
  /** The lease holds before this tick. */
  readonly leaseUntil: number;
  /** A transfer was begun in this term: its vote may come at any time and asks no lease. */
  readonly leaseVoid: boolean;
}

/** What a driver found on its disk. */
export interface Found {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  /**
   * All durable, without a gap, none missing after the snapshot. When none of them agrees with the snapshot at its
   * index (a crash within an install), they all count for nothing and the driver drops them as well.
   */
  readonly entries: readonly Entry[];
}
