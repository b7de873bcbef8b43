import { type ErrorData, HalonError, toErrorData } from "@halon/protocol";
import type { EventEmitter } from "eventemitter3";
import type {
  Behaviour,
  CallOptions,
  ExitReason,
  Meta,
  MonitorRef,
  SpawnOptions,
} from "./core/behaviour.ts";
import { type Address, makePid, type Pid, type SystemId } from "./core/pid.ts";
import {
  endProcess,
  isPromise,
  makeIdle,
  newProcess,
  type Process,
  runProcess,
} from "./process.ts";
import type { Routes } from "./routes.ts";
import { Scheduler } from "./scheduler.ts";
import { makeSelf } from "./self.ts";
import type { Gone, Signal } from "./signal.ts";
import {
  answer,
  dispatch,
  dispatchQuietly,
  fail,
  gone,
  mailboxFull,
  receive,
  resolveName,
} from "./signals.ts";
import { newState, type SystemState } from "./state.ts";
import type { SystemEvents, SystemStats } from "./system-port.ts";

const outsideSend: Meta = { type: "send" };
const outsideCall: Meta = { type: "call" };
const mailboxMaxDefault = 10_000;

/** Told of an end; true when it tells the watchers itself. */
export type OnEnd = (pid: Pid, reason: ExitReason) => boolean;

/** The processes of one thread: their life, and what they ask of each other and of the rest. */
export class SystemCore {
  readonly id: SystemId;
  readonly #state: SystemState;
  readonly #scheduler: Scheduler<Process>;
  readonly #onEnd: OnEnd | null;
  #onIdle: (() => void)[] = [];
  #count = 0;

  constructor(id: SystemId, onEnd: OnEnd | null = null) {
    this.id = id;
    this.#onEnd = onEnd;
    const state = newState(id, {
      answer: (reply, value) => answer(state, reply, value),
      fail: (reply, error) => fail(state, reply, error),
      schedule: (process) => this.#scheduler.add(process),
      ended: (process, reason) => this.#ended(process, reason),
    });
    this.#state = state;
    this.#scheduler = new Scheduler((process, max) => runProcess(process, max, state.port));
  }

  get pid(): Pid {
    return this.#state.pid;
  }

  get events(): EventEmitter<SystemEvents> {
    return this.#state.events;
  }

  get routes(): Routes {
    return this.#state.routes;
  }

  /** Takes what a route brought. */
  receive(signal: Signal, from: "link" | "thread"): void {
    receive(this.#state, signal, from);
  }

  /** Everything that waits on processes of a lost node or thread is told. */
  gone(signal: Gone): void {
    gone(this.#state, signal);
  }

  spawn(behaviour: Behaviour, options: SpawnOptions = {}): Pid {
    const name = options.name ?? null;
    this.#count += 1;
    const pid = makePid(this.id, this.#count);
    if (name !== null) this.register(name, pid);
    const process = newProcess(pid, name, options.mailboxMax ?? mailboxMaxDefault);
    this.#state.processes.set(pid, process);
    if (options.link !== undefined) this.link(process, options.link);
    if (options.monitor !== undefined) this.#monitorFor(options.monitor, pid);
    this.#start(process, behaviour);
    return pid;
  }

  #start(process: Process, behaviour: Behaviour): void {
    const failed = (error: unknown): void =>
      endProcess(process, { error: toErrorData(error) }, this.#state.port);
    try {
      const handlers = behaviour(makeSelf(this, process));
      if (isPromise(handlers)) {
        handlers.then((ready) => {
          process.handlers = ready;
          if (process.state === "busy") makeIdle(process, this.#state.port);
        }, failed);
      } else {
        process.handlers = handlers;
        makeIdle(process, this.#state.port);
      }
    } catch (error) {
      failed(error);
    }
  }

  /** Errors: HAL_NAME_TAKEN. */
  register(name: string, pid: Pid): void {
    const holder = this.#state.names.get(name);
    if (holder !== undefined)
      throw new HalonError("HAL_NAME_TAKEN", `The name "${name}" is held by ${holder}.`);
    this.#state.names.set(name, pid);
  }

  unregister(name: string): void {
    this.#state.names.delete(name);
  }

  whereis(name: string): Pid | null {
    return this.#state.names.get(name) ?? null;
  }

  isAlive(pid: Pid): boolean {
    return this.#state.processes.has(pid);
  }

  send(to: Address, message: unknown, sender: Process | null = null): boolean {
    const pid = resolveName(this.#state, to);
    const process = typeof pid === "string" ? this.#state.processes.get(pid) : undefined;
    if (process === undefined)
      return dispatch(this.#state, {
        type: "send",
        to: pid,
        from: sender?.pid ?? this.pid,
        message,
      });
    if (!process.mailbox.push({ message, meta: sender?.sendMeta ?? outsideSend, reply: null }))
      throw mailboxFull(this.#state, process);
    if (process.state === "idle") this.#scheduler.add(process);
    return true;
  }

  call<Reply>(
    to: Address,
    message: unknown,
    { timeoutMs }: CallOptions,
    sender: Process | null = null,
  ): Promise<Reply> {
    const pid = resolveName(this.#state, to);
    const ref = this.#nextRef();
    return this.#open<Reply>(ref, pid, timeoutMs, () => {
      const process = typeof pid === "string" ? this.#state.processes.get(pid) : undefined;
      if (process === undefined) {
        const reply = makePid(this.id, ref);
        dispatch(this.#state, {
          type: "call",
          to: pid,
          from: sender?.pid ?? this.pid,
          reply,
          message,
        });
        return;
      }
      if (!process.mailbox.push({ message, meta: sender?.callMeta ?? outsideCall, reply: ref }))
        throw mailboxFull(this.#state, process);
      if (process.state === "idle") this.#scheduler.add(process);
    });
  }

  whereisOn(name: string, node: string, timeoutMs: number): Promise<Pid | null> {
    const ref = this.#nextRef();
    return this.#open<Pid | null>(ref, { name, node }, timeoutMs, () => {
      dispatch(this.#state, { type: "whereis", to: { name, node }, from: makePid(this.id, ref) });
    });
  }

  #open<Reply>(ref: number, to: Address, timeoutMs: number, start: () => void): Promise<Reply> {
    try {
      const answer = this.#state.calls.open<Reply>(ref, to, timeoutMs);
      try {
        start();
      } catch (error) {
        this.#state.calls.reject(ref, toErrorData(error));
      }
      return answer;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  exit(pid: Pid, reason: ExitReason, from: Pid = this.pid): void {
    dispatch(this.#state, { type: "exit", to: pid, from, reason, linked: false });
  }

  stop(process: Process, reason: ExitReason): void {
    process.stopReason ??= reason;
    if (process.state === "idle") this.#scheduler.add(process);
  }

  link(process: Process, pid: Pid): void {
    if (pid === process.pid || process.links.has(pid)) return;
    process.links.add(pid);
    dispatch(this.#state, { type: "link", to: pid, from: process.pid });
  }

  unlink(process: Process, pid: Pid): void {
    if (process.links.delete(pid))
      dispatch(this.#state, { type: "unlink", to: pid, from: process.pid });
  }

  monitor(process: Process, address: Address): MonitorRef {
    const ref = this.#nextRef();
    const to = resolveName(this.#state, address);
    this.#state.watches.set(ref, { watcher: process, address, to });
    process.watches.add(ref);
    dispatch(this.#state, { type: "monitor", to, from: process.pid, ref });
    return ref;
  }

  demonitor(process: Process, ref: MonitorRef): void {
    const watch = this.#state.watches.get(ref);
    if (watch === undefined || !process.watches.delete(ref)) return;
    this.#state.watches.delete(ref);
    dispatch(this.#state, { type: "demonitor", to: watch.to, from: process.pid, ref });
  }

  #monitorFor(watcher: Pid, pid: Pid): void {
    const process = this.#state.processes.get(watcher);
    if (process === undefined)
      throw new HalonError(
        "HAL_NO_PROCESS",
        `${watcher}, which is to watch, is not of this system.`,
      );
    this.monitor(process, pid);
  }

  /** Watches and links a process that another system is about to start. */
  attachStarting(pid: Pid, options: { readonly link?: Pid; readonly monitor?: Pid }): void {
    if (options.monitor !== undefined) this.#monitorFor(options.monitor, pid);
    const linked = options.link === undefined ? undefined : this.#state.processes.get(options.link);
    if (linked !== undefined) this.link(linked, pid);
  }

  stats(): SystemStats {
    return {
      processes: this.#state.processes.size,
      pendingCalls: this.#state.calls.count,
      mailboxFull: this.#state.mailboxFull,
      undelivered: this.#state.undelivered,
    };
  }

  /** Resolves when there is no process left. */
  idle(): Promise<void> {
    if (this.#state.processes.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  pids(): readonly Pid[] {
    return [...this.#state.processes.keys()];
  }

  #nextRef(): number {
    this.#count += 1;
    return this.#count;
  }

  #ended(process: Process, reason: ExitReason): void {
    this.#state.processes.delete(process.pid);
    if (process.name !== null) this.#state.names.delete(process.name);
    const error: ErrorData =
      typeof reason === "object"
        ? reason.error
        : { code: "HAL_NO_PROCESS", message: `${process.pid} ended: ${reason}.` };
    fail(this.#state, process.inFlight, error);
    process.inFlight = null;
    for (const reply of process.later) fail(this.#state, reply, error);
    process.later.clear();
    for (let left = process.mailbox.take(); left !== undefined; left = process.mailbox.take()) {
      if (left.meta.type === "send") this.#state.undelivered += 1;
      fail(this.#state, left.reply, error);
    }
    for (const ref of [...process.watches]) this.demonitor(process, ref);
    if (typeof reason === "object") this.events.emit("crashed", process.pid, process.name, reason);
    if (this.#state.processes.size === 0) for (const done of this.#onIdle.splice(0)) done();
    if (this.#onEnd?.(process.pid, reason) === true) return;
    const from = process.pid;
    for (const { pid: to, ref } of process.watchers.values())
      dispatchQuietly(this.#state, { type: "down", to, ref, reason });
    for (const to of process.links)
      dispatchQuietly(this.#state, { type: "exit", to, from, reason, linked: true });
  }
}
