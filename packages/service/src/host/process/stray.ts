import { setTimeout as delay } from "node:timers/promises";
import { ancestorsOf, findMarked, type Marked } from "./mark.ts";
import { isDead, isRunning, readStat } from "./proc.ts";
import type { ProcessRecord } from "./record.ts";

const roundsMax = 5;
const deadlineMs = 5_000;
const lookMs = 5;
const killAgainMs = 100;

/** Processes of one group that bore our mark without a record to go by. */
export interface Stray {
  readonly type: "ended" | "lingers";
  readonly service: string;
  readonly instance: string;
  readonly osPid: number;
  readonly reason: string;
}

/**
 * Ends every process that bears the mark of `home` and is not part of an adopted one, and waits until it is gone.
 *
 * Looks again after each round: what is killed may have started something in the meantime.
 */
export async function endStrays(
  home: string,
  adopted: readonly ProcessRecord[],
  onStray: (stray: Stray) => void,
): Promise<void> {
  const services = new Set(adopted.map(({ service }) => service));
  for (let round = 0; round < roundsMax; round++) {
    const strays = findMarked(home).filter((marked) => !adopted.some((of) => isPart(marked, of)));
    if (strays.length === 0) return;
    const groups = new Map<number, Marked[]>();
    for (const stray of strays)
      groups.set(stray.group, [...(groups.get(stray.group) ?? []), stray]);
    const ended = await Promise.all(
      [...groups].map(async ([group, members]) => {
        const gone = await endMembers(group, members);
        onStray(describe(group, members, { gone, twice: services }));
        return gone;
      }),
    );
    if (ended.includes(false)) return;
  }
}

/** In its group or session, or started by it: databases put each of their processes into a session of its own. */
function isPart(marked: Marked, { pid, keeper }: ProcessRecord): boolean {
  if (marked.pid === keeper?.pid) return true;
  return marked.group === pid || marked.session === pid || ancestorsOf(marked.pid).includes(pid);
}

async function endMembers(group: number, members: readonly Marked[]): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  let killAt = 0;
  while (performance.now() < deadline) {
    const running = members.filter(isRunning);
    if (running.length === 0) return true;
    if (performance.now() >= killAt) {
      killAt = performance.now() + killAgainMs;
      killMembers(group, running);
    }
    await delay(lookMs);
  }
  return false;
}

/** The group as a whole when it is ours: when its founder bears the mark or is gone, and we are not in it. */
function killMembers(group: number, running: readonly Marked[]): void {
  const founder = readStat(group);
  const isGone = founder === undefined || isDead(founder);
  const isOurs = isGone || running.some(({ pid }) => pid === group);
  const targets =
    isOurs && group !== readStat(process.pid)?.group ? [-group] : running.map(({ pid }) => pid);
  for (const target of targets) {
    try {
      process.kill(target, "SIGKILL");
    } catch (error) {
      // ESRCH: gone by itself. EPERM: it has become another user's, and is reported as lingering.
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== "ESRCH" && code !== "EPERM") throw error;
    }
  }
}

function describe(
  group: number,
  members: readonly Marked[],
  { gone, twice }: { readonly gone: boolean; readonly twice: ReadonlySet<string> },
): Stray {
  const chosen = members.find(({ pid }) => pid === group) ?? members[0];
  const { pid = group, service = "", instance = "" } = chosen ?? {};
  const why = twice.has(service)
    ? `the record of ${service} names another process, which goes on`
    : "there is no record to go on with it";
  const what = gone
    ? `process ${pid} of ${instance} was ended`
    : `process ${pid} of ${instance} is still there 5 s after SIGKILL; end it by hand or restart the machine`;
  return {
    type: gone ? "ended" : "lingers",
    service,
    instance,
    osPid: pid,
    reason: `${what}: ${why}`,
  };
}
