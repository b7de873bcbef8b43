/** How late this machine's ticks come; a value. */
export interface LoadState {
  /** What is asked for now, 1 to 10. */
  readonly timeoutMult: number;
  /** Ticks since it was last needed. */
  readonly calmTicks: number;
  /** What the last late tick would have needed, and the ticks since. */
  readonly lastNeeded: number;
  readonly sinceLate: number;
}

export const noLoad: LoadState = { timeoutMult: 1, calmTicks: 0, lastNeeded: 1, sinceLate: 0 };

const timeoutMultMax = 10;
/** One minute of ticks of 15 ms. */
const calmTicksMax = 4_000;
/** Late ticks further apart than this are pauses of the process, not load. */
const togetherTicksMax = 200;

/**
 * Takes in one tick that came `lateMs` late.
 *
 * A tick that is later than a third of the shortest election wait needs waits in which the same delay is less than a
 * third again. What two ticks in three seconds needed is asked for at once; after a minute without need, one less.
 */
export function loadAfterTick(load: LoadState, lateMs: number, electionMinMs: number): LoadState {
  const needed = Math.min(timeoutMultMax, Math.max(1, Math.ceil((3 * lateMs) / electionMinMs)));
  const isLate = needed > 1;
  const before = load.sinceLate < togetherTicksMax ? load.lastNeeded : 1;
  const timeoutMult = Math.min(needed, before);
  const late = isLate
    ? { lastNeeded: needed, sinceLate: 0 }
    : { lastNeeded: load.lastNeeded, sinceLate: load.sinceLate + 1 };
  if (timeoutMult >= load.timeoutMult) return { ...late, timeoutMult, calmTicks: 0 };
  if (load.calmTicks < calmTicksMax) return { ...load, ...late, calmTicks: load.calmTicks + 1 };
  return { ...late, timeoutMult: load.timeoutMult - 1, calmTicks: 0 };
}

/** Raft's ticks to give at one timer that came `elapsedMs` after the last: never more than one election's worth. */
export function ticksDue(elapsedMs: number, tickMs: number, electionTicksMin: number): number {
  return Math.min(Math.floor(elapsedMs / tickMs), electionTicksMin);
}
