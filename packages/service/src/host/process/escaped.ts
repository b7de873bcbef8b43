import { ancestorsOf, listMarked, type Marked } from "./mark.ts";
import { isRunning } from "./proc.ts";

const roundsMax = 100;
const lookMs = 10;
/** Looking takes at most this share of the time of its thread: many instances may end at once. */
const shareMax = 0.2;

/** What an instance left behind. */
export interface Escaped {
  /** The services directory and the instance, as the marks name them. */
  readonly home: string;
  readonly instance: string;
  /** Only those that started before this tick. */
  readonly bornBefore?: number;
}

interface Question {
  readonly of: Escaped;
  answer(found: readonly Marked[]): void;
}

/** One look at all processes answers all questions that wait for it. */
let questions: Question[] = [];
let isDue = false;
let restMs = 0;

/**
 * Ends what an instance has left in other groups and sessions, such as a daemon that forked twice, by its mark.
 *
 * `onGone` is called once, never from within the call, and after some seconds also when something does not end.
 */
export function endEscaped(of: Escaped, onGone: () => void): { cancel(): void } {
  let rounds = 0;
  let isCancelled = false;
  const look = () =>
    ask({
      of,
      answer(found) {
        rounds += 1;
        if (isCancelled) return;
        if (found.length === 0 || rounds > roundsMax) {
          onGone();
          return;
        }
        for (const member of found) killOne(member);
        setTimeout(look, lookMs);
      },
    });
  look();
  return {
    cancel() {
      isCancelled = true;
    },
  };
}

function ask(question: Question): void {
  questions.push(question);
  if (isDue) return;
  isDue = true;
  if (restMs < 1) setImmediate(answerAll);
  else setTimeout(answerAll, restMs);
}

function answerAll(): void {
  isDue = false;
  const asked = questions;
  questions = [];
  const began = performance.now();
  const homes = new Map<string, Map<string, Marked[]>>();
  for (const { of } of asked) homes.set(of.home, homes.get(of.home) ?? byInstance(of.home));
  restMs = ((performance.now() - began) * (1 - shareMax)) / shareMax;
  for (const { of, answer } of asked) {
    const { bornBefore = Number.POSITIVE_INFINITY } = of;
    const marked = homes.get(of.home)?.get(of.instance) ?? [];
    answer(marked.filter(({ startTime }) => startTime < bornBefore));
  }
}

/** Never this process or one that it descends from: a `halond` started from within a service bears its mark. */
function byInstance(home: string): Map<string, Marked[]> {
  const mine = new Set(ancestorsOf(process.pid));
  const found = new Map<string, Marked[]>();
  for (const marked of listMarked(home)) {
    if (mine.has(marked.pid)) continue;
    const others = found.get(marked.instance);
    if (others === undefined) found.set(marked.instance, [marked]);
    else others.push(marked);
  }
  return found;
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
