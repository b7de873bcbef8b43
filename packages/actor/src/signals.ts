import { type ErrorData, type HalonError, toErrorData } from "@halon/protocol";
import { describeAddress } from "./calls.ts";
import type { ExitReason, Meta, MonitorRef } from "./core/behaviour.ts";
import { describeReason, exitEffect } from "./core/exit-signal.ts";
import type { ReplyTo } from "./core/mailbox.ts";
import { type Address, countOf, type Pid, startOf, threadOf } from "./core/pid.ts";
import { endProcess, type Process } from "./process.ts";
import { bounceError, fullError, nodeOfAddress, plainError, sendQuietly } from "./refusal.ts";
import type { Addressed, Gone, Signal } from "./signal.ts";
import type { SystemState } from "./state.ts";

const signalMeta: Meta = { type: "signal" };

/** Takes what a route brought. Only the main thread passes on, and only to its own threads or for them. */
export function receive(state: SystemState, signal: Signal, from: "link" | "thread"): void {
  if (signal.type === "gone") {
    gone(state, signal);
    return;
  }
  if (from === "link" && nodeOfAddress(signal.to, state.id.node) !== state.id.node) {
    bounce(state, signal, "noproc");
    return;
  }
  try {
    dispatch(state, signal);
  } catch (error) {
    refuse(state, signal, toErrorData(error));
  }
}

/** Everything that waits on processes of a lost node or thread is told. */
export function gone(state: SystemState, signal: Gone): void {
  const lost = (to: Address): boolean =>
    typeof to === "string"
      ? startOf(to) === signal.start && (signal.thread === null || threadOf(to) === signal.thread)
      : signal.thread === null && to.node !== undefined && signal.start.startsWith(`${to.node}/`);
  for (const [ref, watch] of state.watches)
    if (lost(watch.to)) reportDown(state, ref, signal.reason);
  for (const process of [...state.processes.values()]) {
    for (const [key, watcher] of process.watchers)
      if (lost(watcher.pid)) process.watchers.delete(key);
    for (const pid of [...process.links])
      if (lost(pid)) exitLinked(state, process, pid, signal.reason);
  }
  state.calls.rejectWhere(lost, (to) => ({
    code: signal.thread === null ? "HAL_UNREACHABLE" : "HAL_NO_PROCESS",
    message: `${describeAddress(to)} is gone: ${describeReason(signal.reason)}.`,
  }));
  for (const route of state.routes.threads()) sendQuietly(route, signal);
}

/** False when there is nobody to take it. */
export function dispatch(state: SystemState, signal: Addressed): boolean {
  const hop = state.routes.to(signal.to, (name) => state.names.has(name));
  switch (hop.type) {
    case "route":
      hop.route.send(signal);
      return true;
    case "nowhere":
      bounce(state, signal, hop.why);
      return false;
    case "here":
      return handle(state, signal);
  }
}

function handle(state: SystemState, signal: Addressed): boolean {
  switch (signal.type) {
    case "send":
    case "call":
    case "monitor":
      return handleAddressed(state, signal);
    case "demonitor":
      if (typeof signal.to === "string")
        state.processes.get(signal.to)?.watchers.delete(`${signal.from}#${signal.ref}`);
      return true;
    case "reply":
      state.calls.resolve(countOf(signal.to), signal.value);
      return true;
    case "failure":
      state.calls.reject(countOf(signal.to), signal.error);
      return true;
    case "refused":
      state.undelivered += 1;
      state.events.emit("refused", signal.address, signal.to, signal.error.code);
      return true;
    case "resolved":
      if (signal.ref === null) state.calls.resolved(countOf(signal.to), signal.pid);
      else learnHolder(state, signal.ref, signal.pid);
      return true;
    case "down":
      reportDown(state, signal.ref, signal.reason);
      return true;
    case "whereis": {
      const name = typeof signal.to === "string" ? "" : signal.to.name;
      dispatch(state, { type: "reply", to: signal.from, value: state.names.get(name) ?? null });
      return true;
    }
    case "link":
    case "unlink":
    case "exit":
      return handleForPid(state, signal);
  }
}

function handleAddressed(
  state: SystemState,
  signal: Addressed & { type: "send" | "call" | "monitor" },
): boolean {
  const to = resolveName(state, signal.to);
  if (typeof to === "string" && typeof signal.to !== "string") {
    // The sender asked by name: it must learn the holder, or it could not tell when the holder is gone.
    if (signal.type === "monitor")
      dispatch(state, { type: "resolved", to: signal.from, ref: signal.ref, pid: to });
    if (signal.type === "call")
      dispatch(state, { type: "resolved", to: signal.reply, ref: null, pid: to });
    return dispatch(state, { ...signal, to });
  }
  const process = typeof to === "string" ? state.processes.get(to) : undefined;
  if (process === undefined) {
    bounce(state, signal, "noproc");
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
  if (!process.mailbox.push({ message: signal.message, meta, reply }))
    throw mailboxFull(state, process);
  if (process.state === "idle") state.port.schedule(process);
  return true;
}

function learnHolder(state: SystemState, ref: MonitorRef, pid: Pid): void {
  const watch = state.watches.get(ref);
  if (watch !== undefined) watch.to = pid;
}

function handleForPid(
  state: SystemState,
  signal: Addressed & { type: "link" | "unlink" | "exit" },
): boolean {
  const process = state.processes.get(signal.to);
  if (process === undefined) {
    bounce(state, signal, "noproc");
    return false;
  }
  if (signal.type === "link") process.links.add(signal.from);
  else if (signal.type === "unlink") process.links.delete(signal.from);
  else if (signal.linked) exitLinked(state, process, signal.from, signal.reason);
  else exitSignal(state, process, signal.from, signal.reason, false);
  return true;
}

function exitLinked(state: SystemState, process: Process, from: Pid, reason: ExitReason): void {
  if (process.links.delete(from)) exitSignal(state, process, from, reason, true);
}

function exitSignal(
  state: SystemState,
  process: Process,
  from: Pid,
  reason: ExitReason,
  linked: boolean,
): void {
  switch (exitEffect({ reason, linked, trapping: process.trapExits })) {
    case "ignore":
      return;
    case "deliver":
      deliverSignal(state, process, { type: "exit", pid: from, reason });
      return;
    case "end":
      endProcess(process, reason, state.port);
      return;
    case "kill":
      endProcess(process, reason, state.port, true);
  }
}

function reportDown(state: SystemState, ref: MonitorRef, reason: ExitReason): void {
  const watch = state.watches.get(ref);
  if (watch === undefined) return;
  state.watches.delete(ref);
  watch.watcher.watches.delete(ref);
  deliverSignal(state, watch.watcher, { type: "down", ref, pid: watch.address, reason });
}

function deliverSignal(state: SystemState, process: Process, message: unknown): void {
  process.mailbox.push({ message, meta: signalMeta, reply: null });
  if (process.state === "idle") state.port.schedule(process);
}

export function answer(state: SystemState, reply: ReplyTo, value: unknown): void {
  if (reply === null) return;
  if (typeof reply === "number") {
    state.calls.resolve(reply, value);
    return;
  }
  try {
    dispatch(state, { type: "reply", to: reply, value });
  } catch (error) {
    fail(state, reply, toErrorData(error));
  }
}

export function fail(state: SystemState, reply: ReplyTo, error: ErrorData): void {
  if (typeof reply === "number") state.calls.reject(reply, error);
  else if (reply !== null)
    dispatchQuietly(state, { type: "failure", to: reply, error: plainError(error) });
}

export function dispatchQuietly(state: SystemState, signal: Addressed): void {
  try {
    dispatch(state, signal);
  } catch (error) {
    refuse(state, signal, toErrorData(error));
  }
}

/** Answers a signal that found nobody. */
function bounce(state: SystemState, signal: Addressed, reason: "noproc" | "noconnection"): void {
  switch (signal.type) {
    case "send":
      state.undelivered += 1;
      return;
    case "call":
    case "whereis":
      refuse(state, signal, bounceError(signal.to, reason));
      return;
    case "monitor":
      dispatchQuietly(state, { type: "down", to: signal.from, ref: signal.ref, reason });
      return;
    case "link": {
      const { from: to, to: from } = signal;
      dispatchQuietly(state, { type: "exit", to, from, reason, linked: true });
      return;
    }
    default:
      return;
  }
}

/** Tells the sender that its message was not taken. */
function refuse(state: SystemState, signal: Addressed, error: ErrorData): void {
  if (signal.type === "call") fail(state, signal.reply, error);
  else if (signal.type === "whereis") fail(state, signal.from, error);
  else if (signal.type === "send")
    dispatchQuietly(state, {
      type: "refused",
      to: signal.from,
      address: signal.to,
      error: plainError(error),
    });
}

/** A local name becomes its holder here, so that the holder's thread can be found. */
export function resolveName(state: SystemState, to: Address): Address {
  if (typeof to === "string") return to;
  if (to.node !== undefined && to.node !== state.id.node) return to;
  return state.names.get(to.name) ?? to;
}

/** Counts a refusal and says it. */
export function mailboxFull(state: SystemState, process: Process): HalonError {
  state.mailboxFull += 1;
  return fullError(process);
}
