import { type ErrorData, toErrorData } from "@halon/protocol";
import {
  type ExitReason,
  Failure,
  type Handlers,
  Later,
  type Meta,
  type MonitorRef,
} from "./core/behaviour.ts";
import { type Envelope, Mailbox, type ReplyTo } from "./core/mailbox.ts";
import type { Pid } from "./core/pid.ts";

/** Who is told when a process ends. */
export interface Watcher {
  readonly pid: Pid;
  readonly ref: MonitorRef;
}

/** A process as its system sees it. `busy`: a promise of its behaviour is under way. */
export interface Process {
  readonly pid: Pid;
  readonly name: string | null;
  readonly mailbox: Mailbox;
  /** Of the messages that it sends within this thread; one object for all of them. */
  readonly sendMeta: Meta;
  readonly callMeta: Meta;
  readonly links: Set<Pid>;
  /** By `<pid>#<ref>`. */
  readonly watchers: Map<string, Watcher>;
  readonly watches: Set<MonitorRef>;
  handlers: Handlers | null;
  state: "idle" | "busy" | "ending" | "dead";
  queued: boolean;
  trapExits: boolean;
  /** Asked for by itself, done before the next message. */
  stopReason: ExitReason | null;
  /** The call being answered. */
  inFlight: ReplyTo;
  /** Calls whose answers come while other messages are taken. */
  readonly later: Set<NonNullable<ReplyTo>>;
}

/** What the loop of a process needs of its system. */
export interface ProcessPort {
  answer(reply: ReplyTo, value: unknown): void;
  fail(reply: ReplyTo, error: ErrorData): void;
  schedule(process: Process): void;
  /** Told once, after `terminate`. */
  ended(process: Process, reason: ExitReason): void;
}

export function newProcess(pid: Pid, name: string | null, mailboxMax: number): Process {
  return {
    pid,
    name,
    mailbox: new Mailbox(mailboxMax),
    sendMeta: { type: "send", from: pid },
    callMeta: { type: "call", from: pid },
    links: new Set(),
    watchers: new Map(),
    watches: new Set(),
    handlers: null,
    state: "busy",
    queued: false,
    trapExits: false,
    stopReason: null,
    inFlight: null,
    later: new Set(),
  };
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}

/** Works through up to `max` messages; returns how many it took. */
export function runProcess(process: Process, max: number, port: ProcessPort): number {
  let taken = 0;
  while (process.state === "idle") {
    if (process.stopReason !== null) {
      endProcess(process, process.stopReason, port);
      break;
    }
    if (taken === max) break;
    const envelope = process.mailbox.take();
    if (envelope === undefined) return taken;
    taken += 1;
    step(process, envelope, port);
  }
  if (process.state === "idle") port.schedule(process);
  return taken;
}

function step(process: Process, envelope: Envelope, port: ProcessPort): void {
  process.inFlight = envelope.reply;
  try {
    const result = process.handlers?.receive(envelope.message, envelope.meta);
    if (result instanceof Later) {
      answerLater(process, result, port);
    } else if (isPromise(result)) {
      process.state = "busy";
      result.then(
        (value) => settle(process, value, port),
        (error: unknown) => endProcess(process, { error: toErrorData(error) }, port),
      );
    } else if (envelope.reply !== null) finish(process, result, port);
  } catch (error) {
    endProcess(process, { error: toErrorData(error) }, port);
  }
}

function answerLater(process: Process, { answer: promise }: Later, port: ProcessPort): void {
  const reply = process.inFlight;
  process.inFlight = null;
  if (reply === null) {
    // Of a message that nobody waits for the end does not matter either.
    promise.then(undefined, () => undefined);
    return;
  }
  process.later.add(reply);
  promise.then(
    (value) => {
      if (process.later.delete(reply)) answer(port, reply, value);
    },
    (error: unknown) => {
      if (process.later.delete(reply)) port.fail(reply, toErrorData(error));
    },
  );
}

function settle(process: Process, value: unknown, port: ProcessPort): void {
  if (process.state === "dead") return;
  finish(process, value, port);
  if (process.state === "busy") makeIdle(process, port);
}

function finish(process: Process, value: unknown, port: ProcessPort): void {
  const reply = process.inFlight;
  process.inFlight = null;
  if (reply !== null) answer(port, reply, value);
}

function answer(port: ProcessPort, reply: ReplyTo, value: unknown): void {
  if (value instanceof Failure) port.fail(reply, value.error);
  else port.answer(reply, value);
}

/** Ready for messages, after its start or after a promise. */
export function makeIdle(process: Process, port: ProcessPort): void {
  process.state = "idle";
  if (process.mailbox.count > 0 || process.stopReason !== null) port.schedule(process);
}

/** Runs `terminate` and tells the system; `brutal` leaves `terminate` out, and cuts one short that is under way. */
export function endProcess(
  process: Process,
  reason: ExitReason,
  port: ProcessPort,
  brutal = false,
): void {
  if (process.state === "dead") return;
  if (brutal) {
    die(process, reason, port);
    return;
  }
  if (process.state === "ending") return;
  process.state = "ending";
  try {
    const ending = process.handlers?.terminate?.(reason);
    if (!isPromise(ending)) {
      die(process, reason, port);
      return;
    }
    ending.then(
      () => die(process, reason, port),
      (error: unknown) => die(process, { error: toErrorData(error) }, port),
    );
  } catch (error) {
    die(process, { error: toErrorData(error) }, port);
  }
}

function die(process: Process, reason: ExitReason, port: ProcessPort): void {
  if (process.state === "dead") return;
  process.state = "dead";
  port.ended(process, reason);
}
