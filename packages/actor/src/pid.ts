import { HalonError } from "@halon/protocol";

/**
 * Names one process of one start of one node: `<node>/<incarnation>/<n>`.
 *
 * Plain data, so it crosses threads and nodes. `n` holds the thread in its upper part: `thread * 2^32 + count`;
 * thread 0 is the main thread, and count 0 is the thread's system itself, not a process.
 */
export type Pid = string & { readonly __brand: "Pid" };

/** A registered name, of this node when `node` is left out. */
export interface NameAddress {
  readonly name: string;
  readonly node?: string;
}

/** Where a message goes: a process, or whoever holds a name at that moment. */
export type Address = Pid | NameAddress;

/** The system of one thread of one start of a node. */
export interface SystemId {
  readonly node: string;
  readonly incarnation: number;
  readonly thread: number;
}

const threadSpan = 2 ** 32;
/** Threads of one start of a node, so that `n` stays a safe integer. */
export const threadMax = 2 ** 20;
const pidPattern = /^([a-z0-9][a-z0-9-]{0,62})\/([0-9]{1,15})\/([0-9]{1,16})$/;

/** The pid of the `count`-th process of a system. */
export function makePid(system: SystemId, count: number): Pid {
  const n = system.thread * threadSpan + count;
  return `${system.node}/${system.incarnation}/${n}` as Pid;
}

/** Reads a pid; null when the text is none. */
export function parsePid(text: string): (SystemId & { readonly count: number }) | null {
  const match = pidPattern.exec(text);
  if (match === null) return null;
  const [, node = "", incarnation = "", tail = ""] = match;
  const n = Number(tail);
  if (n >= threadMax * threadSpan) return null;
  return {
    node,
    incarnation: Number(incarnation),
    thread: Math.floor(n / threadSpan),
    count: n % threadSpan,
  };
}

/** Takes a pid from outside, such as a message. Errors: HAL_BAD_REQUEST. */
export function toPid(text: string): Pid {
  if (parsePid(text) === null)
    throw new HalonError("HAL_BAD_REQUEST", `Expected a pid such as node-1/4/17, got "${text}".`);
  return text as Pid;
}

/** The node of a pid. */
export function nodeOf(pid: Pid): string {
  return pid.slice(0, pid.indexOf("/"));
}

/** The part that all processes of one start of a node share, with its slash. */
export function startOf(pid: Pid): string {
  return pid.slice(0, pid.lastIndexOf("/") + 1);
}

/** The thread of a pid of this node; 0 is the main thread. */
export function threadOf(pid: Pid): number {
  return Math.floor(Number(pid.slice(pid.lastIndexOf("/") + 1)) / threadSpan);
}
