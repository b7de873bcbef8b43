import type { ResourceLimits, Worker } from "node:worker_threads";
import type { Pid } from "../pid.ts";

export interface WorkerOptions {
  readonly name?: string;
  /** Plain data, the second argument of the entry's behaviour. */
  readonly args?: unknown;
  readonly resourceLimits?: ResourceLimits;
  readonly mailboxMax?: number;
  readonly link?: Pid;
  readonly monitor?: Pid;
}

/** A process in a thread of its own. */
export interface WorkerProcess {
  readonly pid: Pid;
  readonly worker: Worker;
  /** Settles at the thread's `exit`, with its code. */
  readonly exited: Promise<number>;
}

/** Joins two workers of one system directly: what they send each other no longer passes the main thread. */
export declare function connectWorkers(a: WorkerProcess, b: WorkerProcess): void;
