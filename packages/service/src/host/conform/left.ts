import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ancestorsOf } from "../process/mark.ts";
import { type ProcessId, readCommand, readEnvironment, runningProcesses } from "../process/proc.ts";

/** A process that a service has started. */
export interface Trace extends ProcessId {
  readonly command: string;
}

/** A port that a process listens on, told from a later one by the number of its socket. */
export interface Listener {
  readonly port: number;
  readonly socket: string;
}

const lookMs = 20;
const commandCharsMax = 60;

/**
 * Every running process that was started under the directory: by a path of it in its environment, as its working
 * directory, or among its open files; and what of `known` still runs.
 */
export function tracesOf(directory: string, known: readonly ProcessId[] = []): readonly Trace[] {
  const ours = new Set(ancestorsOf(process.pid));
  const isKnown = ({ pid, startTime }: ProcessId) =>
    known.some((each) => each.pid === pid && each.startTime === startTime);
  // Of all users: servers that an agent starts take another one.
  return runningProcesses(({ pid }) => !ours.has(pid))
    .filter((id) => isKnown(id) || isUnder(id.pid, directory))
    .map(({ pid, startTime }) => ({ pid, startTime, command: commandOf(pid) }));
}

/** All that descends from a process, and itself. A process that changes everything about itself is still known by this. */
export function familyOf(pid: number): readonly ProcessId[] {
  return runningProcesses((stat) => ancestorsOf(stat.pid).includes(pid));
}

/** Sends SIGKILL until nothing is left under the directory, for two seconds at most. */
export async function endTraces(directory: string, known: readonly ProcessId[]): Promise<void> {
  for (let look = 0; look < 100; look += 1) {
    const traces = tracesOf(directory, known);
    if (traces.length === 0) return;
    for (const { pid } of traces) signal(pid, "SIGKILL");
    await delay(lookMs);
  }
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ESRCH: it ended by itself.
  }
}

/** What these processes listen on. */
export function listenersOf(pids: readonly number[]): readonly Listener[] {
  const open = new Map(listening().map((listener) => [listener.socket, listener]));
  const held = new Set(pids.flatMap((pid) => linksOf(pid).flatMap(socketOf)));
  return [...open.values()].filter(({ socket }) => held.has(socket));
}

/** Those of them that are still open, whoever holds them. */
export function stillOpen(listeners: readonly Listener[]): readonly Listener[] {
  const open = new Set(listening().map(({ socket }) => socket));
  return listeners.filter(({ socket }) => open.has(socket));
}

function isUnder(pid: number, directory: string): boolean {
  const isInside = (path: string) => path === directory || path.startsWith(`${directory}/`);
  for (const value of readEnvironment(pid)?.values() ?? []) if (isInside(value)) return true;
  try {
    if (isInside(readlinkSync(`/proc/${pid}/cwd`))) return true;
  } catch {
    return false; // It is gone, or another user's.
  }
  return linksOf(pid).some(isInside);
}

function linksOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${name}`)];
      } catch {
        return []; // Closed since the listing.
      }
    });
  } catch {
    return [];
  }
}

function socketOf(link: string): readonly string[] {
  const socket = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  return socket === undefined ? [] : [socket];
}

/** Every TCP socket that listens, as proc(5) has it. */
function listening(): readonly Listener[] {
  return ["tcp", "tcp6"].flatMap((name) => {
    let text = "";
    try {
      text = readFileSync(`/proc/net/${name}`, "utf8");
    } catch {
      // A machine without IPv6.
    }
    return text
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        const [, local, , state, , , , , , socket] = line.trim().split(/\s+/);
        const port = Number.parseInt(local?.split(":")[1] ?? "", 16);
        return state === "0A" && socket !== undefined ? [{ port, socket }] : [];
      });
  });
}

function commandOf(pid: number): string {
  const [program = "a process", ...args] = readCommand(pid);
  return [basename(program), ...args].join(" ").slice(0, commandCharsMax);
}
