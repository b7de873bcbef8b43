/**
 * A rule file's code that runs this long without the thread's event loop turning has hung: nothing could end it at the
 * deadline of its step.
 */
export const ruleHangMs = 1_000;
/** The thread itself has hung: longer, because a slow disk or a large snapshot may hold it. */
export const threadHangMs = 30_000;

/** What was seen of the coordinator's thread, and since when it has not changed. */
export interface Pulse {
  readonly beats: number;
  readonly file: string | null;
  /** Monotonic ms. */
  readonly since: number;
}

export type HangVerdict =
  | { readonly type: "alive"; readonly pulse: Pulse }
  | { readonly type: "hung"; readonly file: string | null; readonly silentMs: number };

/** Whether the thread has hung, and in whose code. */
export function judgePulse(
  last: Pulse,
  seen: { readonly beats: number; readonly file: string | null },
  now: number,
): HangVerdict {
  const isSame = last.beats === seen.beats && last.file === seen.file;
  if (!isSame) return { type: "alive", pulse: { ...seen, since: now } };
  const silentMs = now - last.since;
  if (silentMs < (seen.file === null ? threadHangMs : ruleHangMs))
    return { type: "alive", pulse: last };
  return { type: "hung", file: seen.file, silentMs };
}
