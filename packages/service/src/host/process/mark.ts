import { statSync } from "node:fs";
import { isDead, listOwnPids, type ProcessStat, readEnvironment, readStat } from "./proc.ts";

/** Names in the environment of every process that Halon starts; all that such a process starts inherits them. */
export const homeMark = "HALON_HOME";
export const instanceMark = "HALON_INSTANCE";
export const serviceMark = "HALON_SERVICE";
export const nodeMark = "HALON_NODE";

/** A running process that bears the mark of a services directory. */
export interface Marked extends ProcessStat {
  readonly service: string;
  readonly instance: string;
}

/** True when both paths lead to one directory, by whatever links. */
export function isSameDirectory(a: string, b: string): boolean {
  if (a === b) return true;
  const [first, second] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (first === undefined || second === undefined) return false;
  return first.dev === second.dev && first.ino === second.ino;
}

/**
 * Every running process that an earlier `halond` of this directory left behind, by its mark.
 *
 * Left out: this process, those that it descends from (a `halond` started from within a service bears the mark of
 * that service), and those that descend from it, which it started itself.
 */
export function findMarked(servicesDirectory: string): readonly Marked[] {
  const ancestors = new Set(ancestorsOf(process.pid));
  return listMarked(servicesDirectory).filter(
    ({ pid }) => !ancestors.has(pid) && !ancestorsOf(pid).includes(process.pid),
  );
}

/** Every running process that bears the mark of this directory. */
export function listMarked(servicesDirectory: string): readonly Marked[] {
  const found: Marked[] = [];
  for (const pid of listOwnPids()) {
    const stat = readStat(pid);
    const variables = readEnvironment(pid);
    const home = variables?.get(homeMark);
    if (stat === undefined || home === undefined || isDead(stat)) continue;
    if (!isSameDirectory(home, servicesDirectory)) continue;
    found.push({
      ...stat,
      service: variables?.get(serviceMark) ?? "",
      instance: variables?.get(instanceMark) ?? "",
    });
  }
  return found;
}

/** The process itself and all that it descends from, as far as they still run. */
export function ancestorsOf(pid: number): readonly number[] {
  const line: number[] = [];
  for (let next = pid; next > 0 && !line.includes(next); next = readStat(next)?.parent ?? 0) {
    line.push(next);
  }
  return line;
}
