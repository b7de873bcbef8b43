import type { Message } from "@halon/raft";
import type { StoredSnapshot } from "../disk.ts";
import type { SimAnswer } from "../process.ts";
import type { PendingOperation, SimMember, Step, World } from "../world.ts";

/** Numbers of the invariants, of the profile `cluster` from C1 on, of `jobs` from J1 on; "linearizable" is the judgement of the whole history. */
export type InvariantId =
  | "I1"
  | "I2"
  | "I3"
  | "I4"
  | "I5"
  | "I6"
  | "I7"
  | "I8"
  | "I9"
  | "I10"
  | "I11"
  | "I12"
  | "I13"
  | "I14"
  | "I15"
  | "I16"
  | "I17"
  | "I18"
  | "I19"
  | "I20"
  | "I21"
  | "I22"
  | "I23"
  | "I24"
  | "I25"
  | "I26"
  | "I27"
  | "C1"
  | "C2"
  | "C3"
  | "C4"
  | "C5"
  | "C6"
  | "C7"
  | "C8"
  | "C9"
  | "C10"
  | "C11"
  | "C12"
  | "C13"
  | "C14"
  | "C15"
  | "C16"
  | "J1"
  | "J2"
  | "J3"
  | "J4"
  | "J5"
  | "C17"
  | "C18"
  | "C19"
  | "C20"
  | "C21"
  | "linearizable";

/**
 * One rule that holds after every event of a run.
 *
 * It is told what happens, keeps what it needs of it, and calls `violated` when the rule is broken.
 */
export interface Invariant {
  readonly id: InvariantId;
  readonly name: string;
  afterStep?(world: World, step: Step): void;
  /** Before a message is handed to the network. */
  beforeSend?(world: World, member: SimMember, incarnation: number, message: Message): void;
  /** A process has started from what its disk holds. */
  onStart?(world: World, member: SimMember): void;
  /** A process took a snapshot, or installed one. */
  onSnapshot?(world: World, member: SimMember, snapshot: StoredSnapshot): void;
  /** A member has answered. */
  onAnswer?(world: World, member: SimMember, operation: PendingOperation, answer: SimAnswer): void;
  /** The run is over: all is healed, every request has ended. */
  atEnd?(world: World): void;
}

/** A rule was broken; ends the run. */
export class ViolationError extends Error {
  readonly invariant: InvariantId;

  constructor(invariant: InvariantId, message: string) {
    super(message);
    this.name = "ViolationError";
    this.invariant = invariant;
  }
}

export function violated(invariant: InvariantId, message: string): never {
  throw new ViolationError(invariant, message);
}

/** The invariants of one run, by what they listen to. */
export interface Invariants {
  readonly all: readonly Invariant[];
  readonly afterStep: readonly Invariant[];
  readonly beforeSend: readonly Invariant[];
}
