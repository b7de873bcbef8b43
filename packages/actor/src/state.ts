import { EventEmitter } from "eventemitter3";
import { Calls } from "./calls.ts";
import type { MonitorRef } from "./core/behaviour.ts";
import { type Address, makePid, type Pid, type SystemId } from "./core/pid.ts";
import type { Process, ProcessPort } from "./process.ts";
import { Routes } from "./routes.ts";
import type { SystemEvents } from "./system-port.ts";

/** One monitor of a process of this system. */
export interface Watch {
  readonly watcher: Process;
  readonly address: Address;
  /** The address, or its holder once that is known. */
  to: Address;
}

/** All that the system of a thread knows. */
export interface SystemState {
  readonly id: SystemId;
  /** Of the system itself, where messages from outside any process come from. */
  readonly pid: Pid;
  readonly events: EventEmitter<SystemEvents>;
  readonly routes: Routes;
  readonly processes: Map<Pid, Process>;
  /** Of a main thread's system also the names of processes in workers. */
  readonly names: Map<string, Pid>;
  readonly watches: Map<MonitorRef, Watch>;
  readonly calls: Calls;
  readonly port: ProcessPort;
  mailboxFull: number;
  undelivered: number;
}

/** A system without processes. */
export function newState(id: SystemId, port: ProcessPort): SystemState {
  return {
    id,
    pid: makePid(id, 0),
    events: new EventEmitter(),
    routes: new Routes(id),
    processes: new Map(),
    names: new Map(),
    watches: new Map(),
    calls: new Calls(),
    port,
    mailboxFull: 0,
    undelivered: 0,
  };
}
