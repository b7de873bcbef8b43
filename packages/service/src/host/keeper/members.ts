import { homeMark, instanceMark } from "../process/mark.ts";
import { type ProcessId, readEnvironment, readStat, runningProcesses } from "../process/proc.ts";

/** What still runs of an instance: of its group, of its session, or with its mark. Not this process. */
export function findMembers(
  { home, instance }: { readonly home: string; readonly instance: string },
  leader: ProcessId | undefined,
): readonly ProcessId[] {
  const founder = leader === undefined ? undefined : readStat(leader.pid);
  // A process of this number that started at another time: the group is gone, and the number is a stranger's.
  const isFree = founder !== undefined && founder.startTime !== leader?.startTime;
  const group = isFree ? undefined : leader?.pid;
  return runningProcesses((stat) => {
    if (stat.pid === process.pid) return false;
    if (stat.group === group || stat.session === group) return true;
    const variables = readEnvironment(stat.pid);
    return variables?.get(instanceMark) === instance && variables.get(homeMark) === home;
  });
}
