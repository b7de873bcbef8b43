import type { ErrorData } from "@halon/protocol";
import type { Address, Pid } from "./pid.ts";

/** Why a process ended; `noproc` and `noconnection` are said of one that cannot be watched (OTP). */
export type ExitReason =
  | "normal"
  | "shutdown"
  | "killed"
  | "noproc"
  | "noconnection"
  | { readonly error: ErrorData };

/** One act of watching; a process may watch another several times. */
export type MonitorRef = number;

/** What a monitor gets, once, when the watched process ended or cannot be reached. */
export interface Down {
  readonly type: "down";
  readonly ref: MonitorRef;
  readonly pid: Address;
  readonly reason: ExitReason;
}

/** What a process that traps exits gets instead of ending with the one that it is linked to. */
export interface Exit {
  readonly type: "exit";
  readonly pid: Pid;
  readonly reason: ExitReason;
}

/** How a message came: `signal` marks `Down` and `Exit`, which no sender can forge. */
export interface Meta {
  readonly type: "send" | "call" | "signal";
  readonly from?: Pid;
}

/** What a process does. One message at a time: the next waits until the promise of this one is settled. */
export interface Handlers {
  /**
   * What is returned answers a call. Throwing ends the process with the error, which a caller gets too;
   * return `failure(…)` to answer with an error and go on, `later(…)` to take other messages before the answer.
   */
  receive(message: unknown, meta: Meta): unknown;
  /** Runs before the end, except at `killed`; watchers are told when it is done. */
  terminate?(reason: ExitReason): void | Promise<void>;
}

/** Starts a process; runs inside `spawn`. Throwing ends the process with the error. */
export type Behaviour = (self: Self) => Handlers | Promise<Handlers>;

/** A deadline, always given: nothing waits for ever. */
export interface CallOptions {
  readonly timeoutMs: number;
}

/** Options of `spawn`; `link` and `monitor` name who is told of the end. */
export interface SpawnOptions {
  readonly name?: string;
  /** Messages that may wait; more are refused. Default 10,000. */
  readonly mailboxMax?: number;
  readonly link?: Pid;
  readonly monitor?: Pid;
}

/** What a process can do, and everything else that has a pid of its own. */
export interface Self {
  readonly pid: Pid;
  /** False when there is no such process or connection. Errors: HAL_MAILBOX_FULL, HAL_BAD_REQUEST, HAL_TOO_LARGE. */
  send(to: Address, message: unknown): boolean;
  call<Reply = unknown>(to: Address, message: unknown, options: CallOptions): Promise<Reply>;
  spawn(behaviour: Behaviour, options?: SpawnOptions): Pid;
  link(pid: Pid): void;
  unlink(pid: Pid): void;
  monitor(address: Address): MonitorRef;
  demonitor(ref: MonitorRef): void;
  /** From now on exits of linked processes come as `Exit` messages. */
  trapExits(trap: boolean): void;
  /** Ends this process after the message at hand. */
  stop(reason?: ExitReason): void;
  /** Asks another process to end; `killed` cannot be trapped. */
  exit(pid: Pid, reason: ExitReason): void;
  whereis(name: string): Pid | null;
}

/** An answer that rejects the caller's promise and leaves the process running. */
export class Failure {
  readonly error: ErrorData;
  constructor(error: ErrorData) {
    this.error = error;
  }
}

/** Answers a call with an error, without ending the process. */
export function failure(error: ErrorData): Failure {
  return new Failure(error);
}

/** An answer that comes while the process takes other messages. */
export class Later {
  readonly answer: PromiseLike<unknown>;
  constructor(answer: PromiseLike<unknown>) {
    this.answer = answer;
  }
}

/**
 * Answers a call when the promise is settled, and takes the next message at once (OTP: `gen_server:reply/2`).
 *
 * A rejection answers with its error and does not end the process. When the process ends first, the caller is told that.
 */
export function later(answer: PromiseLike<unknown>): Later {
  return new Later(answer);
}
