/** A step that did not end by its deadline, and what ran then. */
export interface Interruption {
  /** The rule file whose code ran, or a kept version of one; null: none. */
  readonly code: string | null;
  /** How long that code had run on the event at hand. */
  readonly ranMs: number;
  readonly deadlineMs: number;
  /** CPU that all threads of the process used since the step began: a bound on what this one had. */
  readonly cpuMs: number;
}

/** A step in which rule files take part has this long. */
export const stepDeadlineMs = 400;
/** Longest deadline of a step in which no file was to blame for what was interrupted. */
const deadlineMsMax = 25_600;
/** So many times fewer inputs are decided after a step that was too long. */
const splitInto = 32;

/**
 * The code that made the step too long; null when none did.
 *
 * `events`: how many were decided together, those that time brought included. Of many that are short each, fewer are decided
 * next time; timers that are due are decided at once, with more time. A thread that had hardly any CPU proves nothing.
 */
export function blame(
  { code, ranMs, deadlineMs, cpuMs }: Interruption,
  events: number,
): string | null {
  if (cpuMs < Math.min(deadlineMs, stepDeadlineMs) / 4) return null;
  const isAlone = events <= 1 || deadlineMs >= deadlineMsMax;
  return ranMs >= stepDeadlineMs / 2 || isAlone ? code : null;
}

/** How much is decided in the next step, and how long it may take. */
export interface Pace {
  readonly inputs: number;
  readonly deadlineMs: number;
}

export function paceAfter(
  pace: Pace,
  outcome: "blamed" | "long" | "done",
  inputsMax: number,
): Pace {
  switch (outcome) {
    case "done":
      return { inputs: Math.min(inputsMax, pace.inputs * 2), deadlineMs: stepDeadlineMs };
    case "blamed":
      return { inputs: inputsMax, deadlineMs: stepDeadlineMs };
    case "long":
      return {
        inputs: Math.max(1, Math.floor(pace.inputs / splitInto)),
        deadlineMs: Math.min(deadlineMsMax, pace.deadlineMs * 2),
      };
  }
}
