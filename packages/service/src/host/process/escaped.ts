import { ancestorsOf, listMarked, type Marked } from "./mark.ts";
import { isRunning } from "./proc.ts";

const roundsMax = 100;
const lookMs = 10;

/** What an instance left behind. */
export interface Escaped {
  /** The services directory and the instance, as the marks name them. */
  readonly home: string;
  readonly instance: string;
  /** Processes that bear the mark of the instance and stay. */
  readonly except?: readonly number[];
  /** Only those that started before this tick. */
  readonly bornBefore?: number;
}

/**
 * Ends what an instance has left in other groups and sessions, such as a daemon that forked twice, by its mark.
 *
 * Looks at every process of this user: some milliseconds. `onGone` is called once, in the same call when there is
 * nothing, and after a second at the latest.
 */
export function endEscaped(of: Escaped, onGone: () => void): { cancel(): void } {
  let rounds = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    const found = findEscaped(of);
    rounds += 1;
    if (found.length === 0 || rounds > roundsMax) {
      onGone();
      return;
    }
    for (const member of found) killOne(member);
    timer = setTimeout(look, lookMs);
  };
  look();
  return { cancel: () => clearTimeout(timer) };
}

/** Never this process or one that it descends from: a `halond` started from within a service bears its mark. */
export function findEscaped(of: Escaped): readonly Marked[] {
  const { home, instance, except = [], bornBefore = Number.POSITIVE_INFINITY } = of;
  const mine = new Set([...ancestorsOf(process.pid), ...except]);
  return listMarked(home).filter(
    (marked) =>
      marked.instance === instance && !mine.has(marked.pid) && marked.startTime < bornBefore,
  );
}

/** By its own number, looked at right before: its group may be another's. */
function killOne(member: Marked): void {
  if (!isRunning(member)) return;
  try {
    process.kill(member.pid, "SIGKILL");
  } catch {
    // ESRCH: it ended by itself. EPERM: it has become another user's.
  }
}
