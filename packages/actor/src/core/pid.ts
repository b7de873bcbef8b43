import { HalonError } from "@halon/protocol";

/**
 * Names one process of one start of one node: `<node>/<incarnation>/<n>`.
 *
 * Plain data, so it crosses threads and nodes. `n` is a count on the main thread, `<thread>.<count>` in a worker;
 * count 0 is the thread's system itself, not a process. Read it with the functions of this file only.
 */
export type Pid = string & { readonly __brand: "Pid" };

/** A registered name, of this node when `node` is left out. */
export interface NameAddress {
  readonly name: string;
  readonly node?: string;
}

/** Where a message goes: a process, or whoever holds a name at that moment. */
export type Address = Pid | NameAddress;

/** The system of one thread of one start of a node; thread 0 is the main thread. */
export interface SystemId {
  readonly node: string;
  readonly incarnation: number;
  readonly thread: number;
}

const pidPattern = /^[a-z0-9][a-z0-9-]{0,62}\/[0-9]{1,15}\/([1-9][0-9]{0,8}\.)?[0-9]{1,16}$/;

/** The pid of the `count`-th process of a system. */
export function makePid(system: SystemId, count: number): Pid {
  const n = system.thread === 0 ? `${count}` : `${system.thread}.${count}`;
  return `${system.node}/${system.incarnation}/${n}` as Pid;
}

/** Whether a value from outside is a pid. */
export function isPid(value: unknown): value is Pid {
  return typeof value === "string" && pidPattern.test(value);
}

/** Takes a pid from outside, such as a message. Errors: HAL_BAD_REQUEST. */
export function toPid(text: string): Pid {
  if (!isPid(text))
    throw new HalonError("HAL_BAD_REQUEST", `Expected a pid such as node-1/4/17, got "${text}".`);
  return text;
}

/** The node of a pid. */
export function nodeOf(pid: Pid): string {
  return pid.slice(0, pid.indexOf("/"));
}

/** The part that all processes of one start of a node share: `<node>/<incarnation>/`. */
export function startOf(pid: Pid): string {
  return pid.slice(0, pid.lastIndexOf("/") + 1);
}

/** The thread of a pid; 0 is the main thread. */
export function threadOf(pid: Pid): number {
  const dot = pid.indexOf(".");
  return dot < 0 ? 0 : Number(pid.slice(pid.lastIndexOf("/") + 1, dot));
}

/** The count of a pid within its system. */
export function countOf(pid: Pid): number {
  const dot = pid.indexOf(".");
  return Number(pid.slice((dot < 0 ? pid.lastIndexOf("/") : dot) + 1));
}
