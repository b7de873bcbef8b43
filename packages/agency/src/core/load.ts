/** How late this machine's ticks come; a value. */
export interface LoadState {
  /** What is asked for now, 1 to 10. */
  readonly timeoutMult: number;
  /** Ticks since it was last needed. */
  readonly calmTicks: number;
}

export const noLoad: LoadState = { timeoutMult: 1, calmTicks: 0 };

const timeoutMultMax = 10;
/** One minute of ticks of 15 ms. */
const calmTicksMax = 4_000;

/**
 * Takes in one tick that came `lateMs` late.
 *
 * A tick that is later than a third of the shortest election wait asks for waits in which the same delay is less
 * than a third again, at once; after a minute without need it asks for one less.
 */
export function loadAfterTick(load: LoadState, lateMs: number, electionMinMs: number): LoadState {
  const needed = Math.min(timeoutMultMax, Math.max(1, Math.ceil((3 * lateMs) / electionMinMs)));
  if (needed >= load.timeoutMult) return { timeoutMult: needed, calmTicks: 0 };
  if (load.calmTicks < calmTicksMax) return { ...load, calmTicks: load.calmTicks + 1 };
  return { timeoutMult: load.timeoutMult - 1, calmTicks: 0 };
}

/** Raft's ticks to give at one timer that came `elapsedMs` after the last: never more than one election's worth. */
export function ticksDue(elapsedMs: number, tickMs: number, electionTicksMin: number): number {
  return Math.min(Math.floor(elapsedMs / tickMs), electionTicksMin);
}
