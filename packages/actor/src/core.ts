import { type ErrorData, HalonError, toErrorData } from "@halon/protocol";
import { EventEmitter } from "eventemitter3";
import type {
  Behaviour,
  CallOptions,
  ExitReason,
  Meta,
  MonitorRef,
  SpawnOptions,
} from "./behaviour.ts";
import { Calls, describeAddress } from "./calls.ts";
import { describeReason, exitEffect } from "./exit-signal.ts";
import type { ReplyTo } from "./mailbox.ts";
import {
  type Address,
  countOf,
  makePid,
  type Pid,
  type SystemId,
  startOf,
  threadOf,
} from "./pid.ts";
import {
  endProcess,
  isPromise,
  makeIdle,
  newProcess,
  type Process,
  type ProcessPort,
  runProcess,
} from "./process.ts";
import { Routes } from "./routes.ts";
import { Scheduler } from "./scheduler.ts";
import { makeSelf } from "./self.ts";
import type { Addressed, Gone, Route, Signal } from "./signal.ts";
import type { SystemEvents, SystemStats } from "./system-port.ts";

const outsideSend: Meta = { type: "send" };
const outsideCall: Meta = { type: "call" };
const signalMeta: Meta = { type: "signal" };
const mailboxMaxDefault = 10_000;

interface Watch {
  readonly watcher: Process;
  readonly address: Address;
  /** The address, or its holder once that is known. */
  to: Address;
}

/** The processes of one thread: their life, and what they say to each other and to the rest. */
export class SystemCore {
  readonly id: SystemId;
  readonly pid: Pid;
  readonly events = new EventEmitter<SystemEvents>();
  readonly routes: Routes;
  readonly #processes = new Map<Pid, Process>();
  /** Of a main thread's system also the names of processes in workers. */
  readonly #names = new Map<string, Pid>();
  readonly #watches = new Map<MonitorRef, Watch>();
  readonly #calls = new Calls();
  readonly #scheduler: Scheduler<Process>;
  readonly #port: ProcessPort;
  /** Told of ends instead of the watchers: the end of a thread is the thread's `exit`. */
  readonly onEnd: ((pid: Pid, reason: ExitReason) => boolean) | null;
  #onIdle: (() => void)[] = [];
  #count = 0;
  #mailboxFull = 0;
  #undelivered = 0;

  constructor(id: SystemId, onEnd: ((pid: Pid, reason: ExitReason) => boolean) | null = null) {
    this.id = id;
    this.onEnd = onEnd;
    this.pid = makePid(id, 0);
    this.routes = new Routes(id);
    this.#scheduler = new Scheduler((process, max) => runProcess(process, max, this.#port));
    this.#port = {
      answer: (reply, value) => this.#answer(reply, value),
      fail: (reply, error) => this.#fail(reply, error),
      schedule: (process) => this.#scheduler.add(process),
      ended: (process, reason) => this.#ended(process, reason),
    };
  }

  spawn(behaviour: Behaviour, options: SpawnOptions = {}): Pid {
    const name = options.name ?? null;
    this.#count += 1;
    const pid = makePid(this.id, this.#count);
    if (name !== null) this.register(name, pid);
    const process = newProcess(pid, name, options.mailboxMax ?? mailboxMaxDefault);
    this.#processes.set(pid, process);
    if (options.link !== undefined) this.link(process, options.link);
    if (options.monitor !== undefined) this.#monitorFor(options.monitor, pid);
    this.#start(process, behaviour);
    return pid;
  }

  #start(process: Process, behaviour: Behaviour): void {
    const failed = (error: unknown): void =>
      endProcess(process, { error: toErrorData(error) }, this.#port);
    try {
      const handlers = behaviour(makeSelf(this, process));
      if (isPromise(handlers)) {
        handlers.then((ready) => {
          process.handlers = ready;
          if (process.state === "busy") makeIdle(process, this.#port);
        }, failed);
      } else {
        process.handlers = handlers;
        makeIdle(process, this.#port);
      }
    } catch (error) {
      failed(error);
    }
  }

  /** Errors: HAL_NAME_TAKEN. */
  register(name: string, pid: Pid): void {
    const holder = this.#names.get(name);
    if (holder !== undefined)
      throw new HalonError("HAL_NAME_TAKEN", `The name "${name}" is held by ${holder}.`);
    this.#names.set(name, pid);
  }

  unregister(name: string): void {
    this.#names.delete(name);
  }

  whereis(name: string): Pid | null {
    return this.#names.get(name) ?? null;
  }

  isAlive(pid: Pid): boolean {
    return this.#processes.has(pid);
  }

  send(to: Address, message: unknown, sender: Process | null = null): boolean {
    const pid = this.#resolve(to);
    const process = typeof pid === "string" ? this.#processes.get(pid) : undefined;
    if (process === undefined)
      return this.#dispatch({ type: "send", to: pid, from: sender?.pid ?? this.pid, message });
    if (!process.mailbox.push({ message, meta: sender?.sendMeta ?? outsideSend, reply: null }))
      throw this.#full(process);
    if (process.state === "idle") this.#scheduler.add(process);
    return true;
  }

  call<Reply>(
    to: Address,
    message: unknown,
    { timeoutMs }: CallOptions,
    sender: Process | null = null,
  ): Promise<Reply> {
    const pid = this.#resolve(to);
    const ref = this.#nextRef();
    return this.#open<Reply>(ref, pid, timeoutMs, () => {
      const process = typeof pid === "string" ? this.#processes.get(pid) : undefined;
      if (process === undefined) {
        const reply = makePid(this.id, ref);
        this.#dispatch({ type: "call", to: pid, from: sender?.pid ?? this.pid, reply, message });
        return;
      }
      if (!process.mailbox.push({ message, meta: sender?.callMeta ?? outsideCall, reply: ref }))
        throw this.#full(process);
      if (process.state === "idle") this.#scheduler.add(process);
    });
  }

  whereisOn(name: string, node: string, timeoutMs: number): Promise<Pid | null> {
    const ref = this.#nextRef();
    return this.#open<Pid | null>(ref, { name, node }, timeoutMs, () => {
      this.#dispatch({ type: "whereis", to: { name, node }, from: makePid(this.id, ref) });
    });
  }

  #open<Reply>(ref: number, to: Address, timeoutMs: number, start: () => void): Promise<Reply> {
    try {
      const answer = this.#calls.open<Reply>(ref, to, timeoutMs);
      try {
        start();
      } catch (error) {
        this.#calls.reject(ref, toErrorData(error));
      }
      return answer;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  exit(pid: Pid, reason: ExitReason, from: Pid = this.pid): void {
    this.#dispatch({ type: "exit", to: pid, from, reason, linked: false });
  }

  stop(process: Process, reason: ExitReason): void {
    process.stopReason ??= reason;
    if (process.state === "idle") this.#scheduler.add(process);
  }

  link(process: Process, pid: Pid): void {
    if (pid === process.pid || process.links.has(pid)) return;
    process.links.add(pid);
    this.#dispatch({ type: "link", to: pid, from: process.pid });
  }

  unlink(process: Process, pid: Pid): void {
    if (process.links.delete(pid)) this.#dispatch({ type: "unlink", to: pid, from: process.pid });
  }

  monitor(process: Process, address: Address): MonitorRef {
    const ref = this.#nextRef();
    const to = this.#resolve(address);
    this.#watches.set(ref, { watcher: process, address, to });
    process.watches.add(ref);
    this.#dispatch({ type: "monitor", to, from: process.pid, ref });
    return ref;
  }

  demonitor(process: Process, ref: MonitorRef): void {
    const watch = this.#watches.get(ref);
    if (watch === undefined || !process.watches.delete(ref)) return;
    this.#watches.delete(ref);
    this.#dispatch({ type: "demonitor", to: watch.to, from: process.pid, ref });
  }

  #monitorFor(watcher: Pid, pid: Pid): void {
    const process = this.#processes.get(watcher);
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
    const linked = options.link === undefined ? undefined : this.#processes.get(options.link);
    if (linked !== undefined) this.link(linked, pid);
  }

  /** Takes what a route brought. Only the main thread passes on, and only to its own threads or for them. */
  receive(signal: Signal, from: "link" | "thread"): void {
    if (signal.type === "gone") {
      this.gone(signal);
      return;
    }
    if (from === "link" && nodeOfAddress(signal.to, this.id.node) !== this.id.node) {
      this.#bounce(signal, "noproc");
      return;
    }
    try {
      this.#dispatch(signal);
    } catch (error) {
      this.#refuse(signal, toErrorData(error));
    }
  }

  /** Everything that waits on processes of a lost node or thread is told. */
  gone(signal: Gone): void {
    const lost = (to: Address): boolean =>
      typeof to === "string"
        ? startOf(to) === signal.start && (signal.thread === null || threadOf(to) === signal.thread)
        : signal.thread === null && to.node !== undefined && signal.start.startsWith(`${to.node}/`);
    for (const [ref, watch] of this.#watches) if (lost(watch.to)) this.#down(ref, signal.reason);
    for (const process of [...this.#processes.values()]) {
      for (const [key, watcher] of process.watchers)
        if (lost(watcher.pid)) process.watchers.delete(key);
      for (const pid of [...process.links])
        if (lost(pid)) this.#exitLinked(process, pid, signal.reason);
    }
    this.#calls.rejectWhere(lost, (to) => ({
      code: signal.thread === null ? "HAL_UNREACHABLE" : "HAL_NO_PROCESS",
      message: `${describeAddress(to)} is gone: ${describeReason(signal.reason)}.`,
    }));
    for (const route of this.routes.threads()) sendQuietly(route, signal);
  }

  stats(): SystemStats {
    return {
      processes: this.#processes.size,
      pendingCalls: this.#calls.count,
      mailboxFull: this.#mailboxFull,
      undelivered: this.#undelivered,
    };
  }

  /** Resolves when there is no process left. */
  idle(): Promise<void> {
    if (this.#processes.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  pids(): readonly Pid[] {
    return [...this.#processes.keys()];
  }

  #nextRef(): number {
    this.#count += 1;
    return this.#count;
  }

  /** A local name becomes its holder here, so that the holder's thread can be found. */
  #resolve(to: Address): Address {
    if (typeof to === "string") return to;
    if (to.node !== undefined && to.node !== this.id.node) return to;
    return this.#names.get(to.name) ?? to;
  }

  /** False when there is nobody to take it. */
  #dispatch(signal: Addressed): boolean {
    const hop = this.routes.to(signal.to, (name) => this.#names.has(name));
    switch (hop.type) {
      case "route":
        hop.route.send(signal);
        return true;
      case "nowhere":
        this.#bounce(signal, hop.why);
        return false;
      case "here":
        return this.#handle(signal);
    }
  }

  #handle(signal: Addressed): boolean {
    switch (signal.type) {
      case "send":
      case "call":
      case "monitor":
        return this.#handleAddressed(signal);
      case "demonitor":
        if (typeof signal.to === "string")
          this.#processes.get(signal.to)?.watchers.delete(`${signal.from}#${signal.ref}`);
        return true;
      case "reply":
        this.#calls.resolve(countOf(signal.to), signal.value);
        return true;
      case "failure":
        this.#calls.reject(countOf(signal.to), signal.error);
        return true;
      case "refused":
        this.#undelivered += 1;
        this.events.emit("refused", signal.address, signal.to, signal.error.code);
        return true;
      case "resolved":
        if (signal.ref === null) this.#calls.resolved(countOf(signal.to), signal.pid);
        else this.#resolved(signal.ref, signal.pid);
        return true;
      case "down":
        this.#down(signal.ref, signal.reason);
        return true;
      case "whereis": {
        const name = typeof signal.to === "string" ? "" : signal.to.name;
        this.#dispatch({ type: "reply", to: signal.from, value: this.whereis(name) });
        return true;
      }
      case "link":
      case "unlink":
      case "exit":
        return this.#handleForPid(signal);
    }
  }

  #resolved(ref: MonitorRef, pid: Pid): void {
    const watch = this.#watches.get(ref);
    if (watch !== undefined) watch.to = pid;
  }

  #handleAddressed(signal: Addressed & { type: "send" | "call" | "monitor" }): boolean {
    const to = this.#resolve(signal.to);
    if (typeof to === "string" && typeof signal.to !== "string") {
      // The sender asked by name: it must learn the holder, or it could not tell when the holder is gone.
      if (signal.type === "monitor")
        this.#dispatch({ type: "resolved", to: signal.from, ref: signal.ref, pid: to });
      if (signal.type === "call")
        this.#dispatch({ type: "resolved", to: signal.reply, ref: null, pid: to });
      return this.#dispatch({ ...signal, to });
    }
    const process = typeof to === "string" ? this.#processes.get(to) : undefined;
    if (process === undefined) {
      this.#bounce(signal, "noproc");
      return false;
    }
    if (signal.type === "monitor") {
      const { from: pid, ref } = signal;
      process.watchers.set(`${pid}#${ref}`, { pid, ref });
      return true;
    }
    const meta: Meta =
      countOf(signal.from) === 0 ? { type: signal.type } : { type: signal.type, from: signal.from };
    const reply = signal.type === "call" ? signal.reply : null;
    if (!process.mailbox.push({ message: signal.message, meta, reply })) throw this.#full(process);
    if (process.state === "idle") this.#scheduler.add(process);
    return true;
  }

  #handleForPid(signal: Addressed & { type: "link" | "unlink" | "exit" }): boolean {
    const process = this.#processes.get(signal.to);
    if (process === undefined) {
      this.#bounce(signal, "noproc");
      return false;
    }
    if (signal.type === "link") process.links.add(signal.from);
    else if (signal.type === "unlink") process.links.delete(signal.from);
    else if (signal.linked) this.#exitLinked(process, signal.from, signal.reason);
    else this.#exitSignal(process, signal.from, signal.reason, false);
    return true;
  }

  #exitLinked(process: Process, from: Pid, reason: ExitReason): void {
    if (process.links.delete(from)) this.#exitSignal(process, from, reason, true);
  }

  #exitSignal(process: Process, from: Pid, reason: ExitReason, linked: boolean): void {
    switch (exitEffect({ reason, linked, trapping: process.trapExits })) {
      case "ignore":
        return;
      case "deliver":
        this.#signal(process, { type: "exit", pid: from, reason });
        return;
      case "end":
        endProcess(process, reason, this.#port);
        return;
      case "kill":
        endProcess(process, reason, this.#port, true);
    }
  }

  #down(ref: MonitorRef, reason: ExitReason): void {
    const watch = this.#watches.get(ref);
    if (watch === undefined) return;
    this.#watches.delete(ref);
    watch.watcher.watches.delete(ref);
    this.#signal(watch.watcher, { type: "down", ref, pid: watch.address, reason });
  }

  #signal(process: Process, message: unknown): void {
    process.mailbox.push({ message, meta: signalMeta, reply: null });
    if (process.state === "idle") this.#scheduler.add(process);
  }

  #answer(reply: ReplyTo, value: unknown): void {
    if (reply === null) return;
    if (typeof reply === "number") {
      this.#calls.resolve(reply, value);
      return;
    }
    try {
      this.#dispatch({ type: "reply", to: reply, value });
    } catch (error) {
      this.#fail(reply, toErrorData(error));
    }
  }

  #fail(reply: ReplyTo, error: ErrorData): void {
    if (typeof reply === "number") this.#calls.reject(reply, error);
    else if (reply !== null)
      this.#dispatchQuietly({ type: "failure", to: reply, error: plainError(error) });
  }

  #ended(process: Process, reason: ExitReason): void {
    this.#processes.delete(process.pid);
    if (process.name !== null) this.#names.delete(process.name);
    const error: ErrorData =
      typeof reason === "object"
        ? reason.error
        : { code: "HAL_NO_PROCESS", message: `${process.pid} ended: ${reason}.` };
    this.#fail(process.inFlight, error);
    process.inFlight = null;
    for (let left = process.mailbox.take(); left !== undefined; left = process.mailbox.take()) {
      if (left.meta.type === "send") this.#undelivered += 1;
      this.#fail(left.reply, error);
    }
    for (const ref of [...process.watches]) this.demonitor(process, ref);
    if (typeof reason === "object") this.events.emit("crashed", process.pid, process.name, reason);
    if (this.#processes.size === 0) for (const done of this.#onIdle.splice(0)) done();
    if (this.onEnd?.(process.pid, reason) === true) return;
    const from = process.pid;
    for (const { pid: to, ref } of process.watchers.values())
      this.#dispatchQuietly({ type: "down", to, ref, reason });
    for (const to of process.links)
      this.#dispatchQuietly({ type: "exit", to, from, reason, linked: true });
  }

  #dispatchQuietly(signal: Addressed): void {
    try {
      this.#dispatch(signal);
    } catch (error) {
      this.#refuse(signal, toErrorData(error));
    }
  }

  /** Answers a signal that found nobody. */
  #bounce(signal: Addressed, reason: "noproc" | "noconnection"): void {
    switch (signal.type) {
      case "send":
        this.#undelivered += 1;
        return;
      case "call":
      case "whereis":
        this.#refuse(signal, bounceError(signal.to, reason));
        return;
      case "monitor":
        this.#dispatchQuietly({ type: "down", to: signal.from, ref: signal.ref, reason });
        return;
      case "link": {
        const { from: to, to: from } = signal;
        this.#dispatchQuietly({ type: "exit", to, from, reason, linked: true });
        return;
      }
      default:
        return;
    }
  }

  /** Tells the sender that its message was not taken. */
  #refuse(signal: Addressed, error: ErrorData): void {
    if (signal.type === "call") this.#fail(signal.reply, error);
    else if (signal.type === "whereis") this.#fail(signal.from, error);
    else if (signal.type === "send")
      this.#dispatchQuietly({
        type: "refused",
        to: signal.from,
        address: signal.to,
        error: plainError(error),
      });
  }

  #full(process: Process): HalonError {
    this.#mailboxFull += 1;
    const what = process.name === null ? process.pid : `${process.pid} ("${process.name}")`;
    return new HalonError(
      "HAL_MAILBOX_FULL",
      `The mailbox of ${what} is full with ${process.mailbox.max} messages; send slower or answer faster.`,
    );
  }
}

function bounceError(to: Address, reason: "noproc" | "noconnection"): ErrorData {
  return reason === "noproc"
    ? { code: "HAL_NO_PROCESS", message: `There is no process ${describeAddress(to)}.` }
    : { code: "HAL_UNREACHABLE", message: `There is no connection to ${describeAddress(to)}.` };
}

function nodeOfAddress(to: Address, own: string): string {
  return typeof to === "string" ? to.slice(0, to.indexOf("/")) : (to.node ?? own);
}

/** Details may hold anything; a peer gets them only where they can cross. */
function plainError(error: ErrorData): ErrorData {
  const { code, message, details } = error;
  return details === undefined ? { code, message } : { code, message, details: textOf(details) };
}

function textOf(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(details).map(([key, value]) => [
      key,
      typeof value === "object" || typeof value === "function" ? JSON.stringify(value) : value,
    ]),
  );
}

/** A route that refuses is about to go down, and its end tells all that this would have told. */
export function sendQuietly(route: Route, signal: Signal): void {
  try {
    route.send(signal);
  } catch (error) {
    if (!(error instanceof HalonError)) throw error;
  }
}
