import { isDead, type ProcessId, readStat, runningMembers } from "./proc.ts";

const graceMs = 500;
const pollMs = 5;
/** SIGKILL is sent again this often: it does not reach what a member forks at that moment. */
const killAgainMs = 100;

/** The end of a process group whose leader is gone. */
export interface GroupEnd {
  /** Does not wait for the grace period. */
  kill(): void;
  /** Stops looking; what lives of the group lives on. */
  cancel(): void;
}

/**
 * Sends a signal to the group that `leader` founded; does nothing when none of it is left.
 *
 * While a member lives the kernel gives the leader's number to nobody, so a process of this number that started at
 * another time means that the group is gone, and must not be signalled.
 */
export function signalGroup(leader: ProcessId, signal: NodeJS.Signals): void {
  const stat = readStat(leader.pid);
  if (stat !== undefined && stat.startTime !== leader.startTime) return;
  try {
    process.kill(-leader.pid, signal);
  } catch (error) {
    // ESRCH: it ended before. EPERM: all that is left has become another user's; the caller's deadline shows it.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}

/** False when the kernel knows no member, dead or alive: the common case, one system call. */
export function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Ends what is left of a group after its leader: SIGTERM, 500 ms later SIGKILL. `onGone` is called once, when
 * nothing of it runs any more: at once, in the same call, when that is so now.
 */
export function endGroup(leader: ProcessId, onGone: () => void): GroupEnd {
  if (!groupExists(leader.pid)) return gone(onGone);
  let members = runningMembers(leader.pid);
  if (members.length === 0) return gone(onGone);
  signalGroup(leader, "SIGTERM");
  let killAt = performance.now() + graceMs;
  const look = () => {
    members = stillRunning(leader.pid, members);
    if (members.length === 0) {
      clearInterval(timer);
      onGone();
    } else if (performance.now() >= killAt) {
      kill();
    }
  };
  const kill = () => {
    killAt = performance.now() + killAgainMs;
    signalGroup(leader, "SIGKILL");
  };
  const timer = setInterval(look, pollMs);
  return { kill, cancel: () => clearInterval(timer) };
}

function gone(onGone: () => void): GroupEnd {
  onGone();
  return { kill: () => undefined, cancel: () => undefined };
}

/** Looks at the known members first: to look at every process of the machine each 5 ms would be slow. */
function stillRunning(group: number, known: readonly ProcessId[]): readonly ProcessId[] {
  if (!groupExists(group)) return [];
  const running = known.filter((member) => {
    const stat = readStat(member.pid);
    return stat !== undefined && stat.group === group && !isDead(stat);
  });
  return running.length > 0 ? running : runningMembers(group);
}
