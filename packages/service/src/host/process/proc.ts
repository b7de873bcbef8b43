import { readdirSync, readFileSync, statSync } from "node:fs";

/** One line of `/proc/<pid>/stat`: the parts that tell a process from another. */
export interface ProcessStat {
  readonly pid: number;
  /** One letter, see proc(5); Z and X are dead. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Ticks since the machine started (field 22). */
  readonly startTime: number;
}

/** A process, told from a later one with the same number by its start. */
export interface ProcessId {
  readonly pid: number;
  readonly startTime: number;
}

/** The kernel shows times to programs in ticks of 10 ms on every architecture that Node runs on. */
const tickMs = 10;

/** Reads a stat line. The name in it may hold spaces and brackets, so it ends at the last `)`. */
export function parseStat(line: string): ProcessStat | undefined {
  const nameEnd = line.lastIndexOf(")");
  const pid = Number.parseInt(line, 10);
  const fields = line.slice(nameEnd + 2).split(" ");
  // fields[0] is field 3 of proc(5).
  const [state = "", parent, group, session] = fields;
  const startTime = Number(fields[19] ?? Number.NaN);
  if (nameEnd < 0 || !Number.isInteger(pid) || !Number.isInteger(startTime)) return undefined;
  return {
    pid,
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime,
  };
}

/** Undefined when there is no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  const line = readProc(`${pid}/stat`);
  return line === undefined ? undefined : parseStat(line);
}

/** A zombie only waits to be counted by its parent; nothing of it runs. */
export function isDead(stat: ProcessStat): boolean {
  return stat.state === "Z" || stat.state === "X" || stat.state === "x";
}

/** True while this very process runs. */
export function isRunning(id: ProcessId): boolean {
  const stat = readStat(id.pid);
  return stat !== undefined && !isDead(stat) && stat.startTime === id.startTime;
}

/** Program and arguments; empty for a zombie or a process that is gone. */
export function readCommand(pid: number): readonly string[] {
  const text = readProc(`${pid}/cmdline`) ?? "";
  return text === "" ? [] : text.replace(/\0$/, "").split("\0");
}

/** The environment it was started with; undefined when it is gone, another user's, or has overwritten it. */
export function readEnvironment(pid: number): ReadonlyMap<string, string> | undefined {
  const text = readProc(`${pid}/environ`);
  if (text === undefined || text === "") return undefined;
  const variables = new Map<string, string>();
  for (const variable of text.split("\0")) {
    const equals = variable.indexOf("=");
    if (equals > 0) variables.set(variable.slice(0, equals), variable.slice(equals + 1));
  }
  return variables;
}

/** All processes that this user owns. */
export function listOwnPids(): readonly number[] {
  const uid = process.getuid?.();
  return listPids().filter((pid) => {
    try {
      return statSync(`/proc/${pid}`).uid === uid;
    } catch {
      return false; // It ended between the listing and now.
    }
  });
}

/** What still runs of a process group, by looking at every process: some milliseconds on a full machine. */
export function runningMembers(group: number): readonly ProcessId[] {
  return runningProcesses((stat) => stat.group === group);
}

/** Every process that runs and is wanted. */
export function runningProcesses(isWanted: (stat: ProcessStat) => boolean): readonly ProcessId[] {
  const found: ProcessId[] = [];
  for (const pid of listPids()) {
    const stat = readStat(pid);
    if (stat !== undefined && !isDead(stat) && isWanted(stat)) found.push(stat);
  }
  return found;
}

/** Resident memory in KiB; undefined when it is gone. From `status`, because `statm` counts pages of unknown size. */
export function residentKb(pid: number): number | undefined {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`) ?? "");
  return match === null ? undefined : Number(match[1]);
}

/** Now, on the scale of start times. */
export function ticksNow(): number {
  return Math.floor((Number.parseFloat(readProc("uptime") ?? "0") * 1_000) / tickMs);
}

/** Milliseconds since the process started, by the kernel's clock. */
export function uptimeMs(id: ProcessId): number {
  const machineMs = Number.parseFloat(readProc("uptime") ?? "0") * 1_000;
  return Math.max(0, Math.round(machineMs - id.startTime * tickMs));
}

/** Changes with every start of the machine: start times count from there and can repeat after it. */
export function bootId(): string {
  bootIdRead ??= (readProc("sys/kernel/random/boot_id") ?? "").trim();
  return bootIdRead;
}

let bootIdRead: string | undefined;

function listPids(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Undefined when the entry is not there or may not be read: processes vanish while they are looked at. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return undefined;
  }
}
