import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "@halon/protocol";
import { ancestorsOf, isSameDirectory } from "../process/mark.ts";
import {
  isDead,
  isRunning,
  type ProcessId,
  type ProcessStat,
  readEnvironment,
  readStat,
} from "../process/proc.ts";

/** In the environment of every call of an agent, and of what it starts unless it takes another environment. */
export const ocfHomeMark = "HALON_OCF_HOME";
export const ocfServiceMark = "HALON_OCF_SERVICE";
/** The descriptor under which every call inherits the file of `markPath`. */
const markDescriptor = 3;

const lookMs = 10;
const graceMs = 500;
const deadlineMs = 3_000;
const pidFileBytesMax = 64;

/**
 * A file that every process of the resource holds open: daemons take other users, sessions and environments, and
 * overwrite their environment with their title, but seldom close what they do not know.
 */
export function markPath(directory: string): string {
  return join(directory, "ocf.mark");
}

/** The place of a resource on a node. */
export interface ResourcePlace {
  /** The services directory. */
  readonly home: string;
  readonly service: string;
  readonly directory: string;
}

/**
 * Every running process that an agent has started for the resource, calls of the agent among them.
 *
 * Looks at every process of the machine: some milliseconds. Never this process or one that it descends from.
 */
export function processesOf(place: ResourcePlace): readonly ProcessStat[] {
  if (!existsSync(markPath(place.directory))) return [];
  const mark = statSync(markPath(place.directory));
  const ours = new Set(ancestorsOf(process.pid));
  const found: ProcessStat[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || ours.has(pid)) continue;
    if (!holds(pid, mark) && !isMarked(pid, place)) continue;
    const stat = readStat(pid);
    if (stat !== undefined && !isDead(stat)) found.push(stat);
  }
  return found;
}

/** Those that no other of them has started: of a server with workers, the master. */
export function rootsOf(processes: readonly ProcessStat[]): readonly ProcessStat[] {
  const pids = new Set(processes.map(({ pid }) => pid));
  return processes.filter(({ parent }) => !pids.has(parent));
}

/**
 * Ends every process of the resource: SIGTERM first when `gentle`, then SIGKILL, again and again for what is started
 * meanwhile. Resolves with what is still there after 3 s.
 */
export async function endProcesses(
  place: ResourcePlace,
  gentle: boolean,
): Promise<readonly ProcessStat[]> {
  const begin = performance.now();
  let running = processesOf(place);
  if (gentle) for (const found of running) signal(found, "SIGTERM");
  while (running.length > 0 && performance.now() - begin < deadlineMs) {
    if (!gentle || performance.now() - begin >= graceMs) {
      for (const found of running) signal(found, "SIGKILL");
    }
    await delay(lookMs);
    running = running.some(isRunning) ? running.filter(isRunning) : processesOf(place);
  }
  return running;
}

/** The process whose number stands in the file that the parameter `pidfile` names; undefined when none such runs. */
export function readPidFile(config: JsonObject): ProcessId | undefined {
  const path = config["pidfile"] ?? config["pid_file"] ?? config["pid"];
  if (typeof path !== "string" || !isAbsolute(path)) return undefined;
  const text = readStart(path);
  const pid = /^\s*(\d{1,9})\s*$/.exec(text)?.[1];
  const stat = pid === undefined || Number(pid) < 2 ? undefined : readStat(Number(pid));
  return stat === undefined || isDead(stat) ? undefined : stat;
}

function readStart(path: string): string {
  try {
    // Without waiting: what is no file, such as a pipe, must not hold up the thread.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.alloc(pidFileBytesMax);
      return buffer.toString("utf8", 0, readSync(file, buffer, 0, pidFileBytesMax, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return ""; // Not written yet, or taken away again.
  }
}

function holds(pid: number, mark: { readonly dev: number; readonly ino: number }): boolean {
  try {
    const held = statSync(`/proc/${pid}/fd/${markDescriptor}`);
    return held.ino === mark.ino && held.dev === mark.dev;
  } catch {
    return false; // It has no such descriptor, is gone, or is another user's.
  }
}

function isMarked(pid: number, { home, service }: ResourcePlace): boolean {
  const variables = readEnvironment(pid);
  const marked = variables?.get(ocfHomeMark);
  if (marked === undefined || variables?.get(ocfServiceMark) !== service) return false;
  return isSameDirectory(marked, home);
}

/** By its own number, looked at right before: its group may hold what is not the resource's. */
function signal(found: ProcessId, name: NodeJS.Signals): void {
  if (!isRunning(found)) return;
  try {
    process.kill(found.pid, name);
  } catch {
    // ESRCH: it ended by itself. EPERM: it has become another user's; what is left is reported.
  }
}
