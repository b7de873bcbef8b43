import type { EventEmitter } from "eventemitter3";
import type { Behaviour, CallOptions, ExitReason, SpawnOptions } from "./core/behaviour.ts";
import type { Address, Pid } from "./core/pid.ts";
import type { BulkHandler, BulkOptions } from "./link/bulk.ts";
import type { Link } from "./link/link.ts";
import type { WorkerOptions, WorkerProcess } from "./thread/host.ts";

/** Counts since the start of the system. */
export interface SystemStats {
  readonly processes: number;
  readonly pendingCalls: number;
  /** Messages refused because a mailbox was full. */
  readonly mailboxFull: number;
  /** Messages to processes or nodes that are not there. */
  readonly undelivered: number;
}

/** What an operator may want to log. */
export interface SystemEvents {
  /** A process ended with an error. */
  crashed: [pid: Pid, name: string | null, reason: ExitReason];
  /** A message of this system was refused by another thread or node. */
  refused: [to: Address, from: Pid | null, code: string];
  nodeUp: [node: string];
  nodeDown: [node: string, reason: string];
}

/** The processes of one thread, and the ways to those of other threads and nodes. */
export interface ActorSystem {
  readonly node: string;
  readonly incarnation: number;
  readonly events: EventEmitter<SystemEvents>;
  /** Errors: HAL_NAME_TAKEN. */
  spawn(behaviour: Behaviour, options?: SpawnOptions): Pid;
  spawnInWorker(entry: URL, options?: WorkerOptions): WorkerProcess;
  /** False when there is no such process or connection. Errors: HAL_MAILBOX_FULL, HAL_BAD_REQUEST, HAL_TOO_LARGE. */
  send(to: Address, message: unknown): boolean;
  /** Errors: HAL_TIMEOUT, HAL_NO_PROCESS, HAL_UNREACHABLE, HAL_MAILBOX_FULL, HAL_TOO_MANY, or the callee's own. */
  call<Reply = unknown>(to: Address, message: unknown, options: CallOptions): Promise<Reply>;
  exit(pid: Pid, reason: ExitReason): void;
  /** Who holds a name here. */
  whereis(name: string): Pid | null;
  /** Who holds a name on another node; 2 s unless told. Errors: HAL_TIMEOUT, HAL_UNREACHABLE. */
  whereisOn(name: string, node: string, options?: CallOptions): Promise<Pid | null>;
  isAlive(pid: Pid): boolean;
  /** Routes to the link's node until it is down. A later link of the same node and class replaces an earlier. */
  attach(link: Link): void;
  /** Nodes that have a control link. */
  nodes(): readonly string[];
  /** Answers bulk requests of other nodes. */
  serveBulk(name: string, handler: BulkHandler): void;
  /** Asks another node over its bulk link. Errors, when read: HAL_UNREACHABLE, HAL_TIMEOUT, or the handler's. */
  requestBulk(
    node: string,
    name: string,
    args: unknown,
    options?: BulkOptions,
  ): AsyncIterable<Uint8Array>;
  stats(): SystemStats;
  /** Ends every process and worker with `shutdown` and closes the links. */
  close(): Promise<void>;
}
