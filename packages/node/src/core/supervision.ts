/** Waits between a crash and the next start double from the first to the most. */
export const restartMsFirst = 100;
export const restartMsMost = 10_000;
/** A thread that ran this long has shown that it can: the waits begin anew. */
export const steadyMs = 10_000;
/** So many crashes within `crashWindowMs` make another node the better leader. */
export const crashesMax = 2;
export const crashWindowMs = 60_000;

/**
 * How a coordinator's thread ended.
 *
 * `lost`: its leadership, nothing is wrong. `suspected`: in the code of a rule file, which the next one leaves out.
 */
export type ThreadEnd = "lost" | "suspected" | "crashed";

/** What the recovery supervisor remembers of earlier ends. Times are monotonic, in ms. */
export interface Supervision {
  readonly attempt: number;
  readonly crashedAt: readonly number[];
}

/** What comes after an end: the wait, and whether another node shall be asked to lead. */
export interface NextStart {
  readonly waitMs: number;
  readonly handsOver: boolean;
}

export const firstSupervision: Supervision = { attempt: 0, crashedAt: [] };

/** Decides on an end at `now` of a thread that ran for `ranMs`, 0 when it never came so far as to follow. */
export function afterEnd(
  state: Supervision,
  end: ThreadEnd,
  { now, ranMs }: { readonly now: number; readonly ranMs: number },
): readonly [Supervision, NextStart] {
  // Each rule file can be suspected once, so this has an end of itself.
  if (end === "suspected") return [state, { waitMs: 0, handsOver: false }];
  const attempt = ranMs >= steadyMs ? 0 : state.attempt;
  const waitMs = Math.min(restartMsMost, restartMsFirst * 2 ** Math.min(attempt, 10));
  if (end === "lost") {
    // A store that ends at once whenever it is opened must not be opened without a pause.
    if (ranMs >= restartMsFirst)
      return [
        { ...state, attempt: 0 },
        { waitMs: 0, handsOver: false },
      ];
    return [
      { ...state, attempt: attempt + 1 },
      { waitMs, handsOver: false },
    ];
  }
  const crashedAt = [...state.crashedAt, now].filter((at) => now - at < crashWindowMs);
  const handsOver = crashedAt.length >= crashesMax;
  return [
    { attempt: attempt + 1, crashedAt: handsOver ? [] : crashedAt },
    { waitMs, handsOver },
  ];
}
