import type { Configuration, MemberId, RaftState } from "@halon/raft";
import type { ClusterPayload, ClusterWorld } from "./cluster/world.ts";
import type { Counters } from "./counters.ts";
import type { Disk, StoredSnapshot } from "./disk.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Invariants } from "./invariants/invariant.ts";
import type { Ledger, ShadowLog } from "./ledger.ts";
import type { Operation } from "./linearizability.ts";
import type { Flight, Network } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { Process, ProcessEffect, ProcessInput, SimAnswer, StepFunction } from "./process.ts";
import type { CrashMoment, CrashTail, Scenario } from "./scenario.ts";
import type { Trace } from "./trace.ts";

/** Kinds of event in the queue; what `a` and `b` of an event mean stands beside each. */
export const eventKind = {
  /** Slot, incarnation. */
  tick: 0,
  /** Packed link and connection, checksum; the payload is the message. */
  deliver: 1,
  /** Slot, incarnation: the oldest write is done. */
  diskDone: 2,
  /** Slot, incarnation. */
  flush: 3,
  /** Slot, incarnation. */
  apply: 4,
  /** Slot, slot of the peer. */
  peerLost: 5,
  /** Slot, incarnation that ended. */
  start: 6,
  /** Index of the fault. */
  fault: 7,
  /** Index of the fault. */
  faultEnd: 8,
  /** Index of the request. */
  requestDue: 9,
  /** Id of the operation, slot. */
  requestArrives: 10,
  /** Id of the operation, slot that answers; the payload is the answer. */
  answerArrives: 11,
  /** Id of the operation, number of the try. */
  timeout: 12,
  operator: 13,
  heal: 14,
  audit: 15,
  /** Slot, incarnation. */
  host: 16,
  /** Slot; the payload is the thread. */
  turn: 17,
  /** Slot; the payload is the timer of a thread. */
  timer: 18,
  /** Slot, slot of the sender; the payload is a frame of a link. */
  frame: 19,
  /** Slot; the payload says what happens to a link. */
  link: 20,
  /** Slot, slot of the sender; the payload is a beat. */
  beat: 21,
  /** Slot; the payload is the turn of a process. */
  service: 22,
  /** Numbers of the operators. */
  wish: 23,
  /** Slot; the payload is a request of an operator. */
  asked: 24,
  /** The payload is the answer. */
  answered: 25,
  /** Slot, incarnation of `halond`. */
  node: 26,
} as const;

export type Payload = Uint8Array | SimAnswer | ClusterPayload;

/**
 * `up` has a process. `down` starts again later, `full` when its disk has room, `dead` never: its disk is damaged, or it
 * was left out of the majority that is healed. `removed` was told that the members go on without it.
 */
export type MemberStatus = "absent" | "up" | "down" | "full" | "dead" | "removed";

/** One machine with one member on it. */
export interface SimMember {
  readonly slot: number;
  readonly id: MemberId;
  status: MemberStatus;
  /** Grows with every start and every end; events of another incarnation are void. */
  incarnation: number;
  process: Process | null;
  disk: Disk;
  shadow: ShadowLog;
  /** The snapshot whose parts it sends, as a file that is held open. */
  sending: StoredSnapshot | null;
  /** A snapshot was given to the disk and is not installed yet. */
  isInstalling: boolean;
  pausedUntil: number;
  isFlushDue: boolean;
  /** In a thousand. */
  readonly clockRate: number;
  startedAt: number;
  readonly diskPrng: Prng;
  /** Highest term that was durable, ever. */
  durableTerm: number;
  /** Ticks under way. */
  timers: number;
  /** Where its state was compared last. */
  comparedIndex: number;
}

/** One step of a member, as the invariants see it. One object, used again for every step. */
export interface Step {
  member: SimMember;
  input: ProcessInput;
  before: RaftState;
  after: RaftState;
  effects: readonly ProcessEffect[];
}

/** A request of a client, or of the audit, on its way. */
export interface PendingOperation {
  readonly id: number;
  readonly client: number;
  readonly type: "write" | "cas" | "read";
  readonly key: number;
  readonly value: number;
  expected: number | null;
  readonly isRecorded: boolean;
  readonly start: number;
  /** Highest index that an answer rested on when this was asked. */
  readonly acknowledgedIndex: number;
  tries: number;
  /** Which member it was sent to last, and whether that has it. */
  slot: number;
  hasArrived: boolean;
  /** What came of the write is not known, and a member is asked for it by its client id. */
  isInquiry: boolean;
  isDone: boolean;
}

export interface SimClient {
  readonly number: number;
  readonly prng: Prng;
  /** Slot of the leader that it knows. */
  leader: number;
  operation: PendingOperation | null;
  /** Indexes of requests that are due and wait. */
  readonly waiting: number[];
  /** What it last read or wrote, by key; expected by its next cas. */
  readonly seen: (number | null)[];
}

export interface PreparedCrash {
  readonly moment: CrashMoment;
  readonly forUs: number;
  readonly tail: CrashTail;
}

export type Phase = "faults" | "healing" | "done";

/** All of one run. Changed in place by the files around it. */
export interface World {
  readonly scenario: Scenario;
  readonly step: StepFunction;
  now: number;
  events: number;
  phase: Phase;
  readonly queue: EventQueue<Payload>;
  readonly network: Network;
  readonly flight: Flight;
  readonly members: SimMember[];
  readonly slots: Map<MemberId, number>;
  readonly ledger: Ledger;
  readonly invariants: Invariants;
  readonly observed: Step;
  readonly counters: Counters;
  readonly trace: Trace;
  readonly clients: SimClient[];
  readonly operations: PendingOperation[];
  readonly history: Operation[];
  /** Operations that have not ended. */
  readonly inFlight: Set<PendingOperation>;
  /** Of each fault that lasts: the links or the slot that it holds. */
  readonly faultLinks: (readonly number[])[];
  readonly faultSlots: number[];
  /** The last configurations that leaders appended, newest last. */
  readonly configurations: Configuration[];
  /** Damaged members that nobody has taken the place of. */
  readonly toReplace: number[];
  /** Replacements that learn: the new id, and the one that it takes the place of. */
  readonly replacements: { readonly id: MemberId; readonly replaced: MemberId }[];
  prepared: PreparedCrash[];
  activeCuts: number;
  /** Turns of all hosts. */
  hostTurns: number;
  healedAt: number;
  /** Null: members alone. */
  readonly cluster: ClusterWorld | null;
}
