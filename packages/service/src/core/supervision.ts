import type { Cause } from "./lifecycle.ts";

/** An instance without a sign of progress for this long hangs. */
export const silentMsMax = 1_000;

/** What was seen of a running instance. */
export interface Observation {
  /** Since its last sign of progress; undefined where that cannot be seen. */
  readonly silentMs: number | undefined;
  readonly memoryMb: number | undefined;
  /** By how much the supervisor itself looks later than it meant to. */
  readonly lookLateMs: number;
}

/** Bounds of one instance. */
export interface Bounds {
  readonly silentMsMax: number;
  readonly memoryMbMax: number;
  readonly lookLateMsMax: number;
}

/** Why the instance must be ended, or null. */
export function judge(observation: Observation, bounds: Bounds): Cause | null {
  const { silentMs, memoryMb } = observation;
  if (memoryMb !== undefined && memoryMb > bounds.memoryMbMax) {
    return {
      code: "HAL_FAILED",
      cause: "memory",
      reason: `memory: ${Math.round(memoryMb)} MiB used, ${bounds.memoryMbMax} MiB allowed (memoryMb)`,
    };
  }
  // A supervisor that was held up sees old beats of instances that were held up by the same thing.
  if (observation.lookLateMs > bounds.lookLateMsMax) return null;
  if (silentMs === undefined || silentMs <= bounds.silentMsMax) return null;
  return {
    code: "HAL_FAILED",
    cause: "hung",
    reason: `hung: no sign of progress for ${Math.round(silentMs)} ms, ${bounds.silentMsMax} ms allowed`,
  };
}

/** How a check ended. */
export type CheckOutcome = "answered" | "timedOut";

/** The schedule of checks of one instance: the next is asked `checkEveryMs` after the last one began. */
export interface CheckSchedule {
  readonly dueAtMs: number;
  /** Checks in a row that got no answer. */
  readonly timeouts: number;
  /** Liveness checks in a row that failed or got no answer. */
  readonly notAlive: number;
}

/** The schedule of an instance that has just become ready: it is asked at once. */
export function firstCheck(nowMs: number): CheckSchedule {
  return { dueAtMs: nowMs, timeouts: 0, notAlive: 0 };
}

/** The schedule after a check that began at `beganAtMs` and ended now; never two checks at once. */
export function nextCheck(
  schedule: CheckSchedule,
  check: {
    readonly outcome: CheckOutcome;
    /** What the liveness check said; true where none is asked. */
    readonly isAlive: boolean;
    readonly beganAtMs: number;
    readonly nowMs: number;
    readonly checkEveryMs: number;
  },
): CheckSchedule {
  return {
    dueAtMs: Math.max(check.nowMs, check.beganAtMs + check.checkEveryMs),
    timeouts: check.outcome === "timedOut" ? schedule.timeouts + 1 : 0,
    notAlive: check.isAlive ? 0 : schedule.notAlive + 1,
  };
}

/** Why an instance that does not answer its checks must be ended, or null. */
export function judgeChecks(schedule: CheckSchedule, checkTimeoutsMax: number): Cause | null {
  if (schedule.timeouts < checkTimeoutsMax) return null;
  return {
    code: "HAL_FAILED",
    cause: "hung",
    reason: `hung: ${schedule.timeouts} checks in a row got no answer`,
  };
}

/** Why an instance that fails its liveness checks must be ended, or null; `detail` is what the last one said. */
export function judgeLiveness(
  schedule: CheckSchedule,
  livenessFailures: number,
  detail: string,
): Cause | null {
  const { notAlive } = schedule;
  if (notAlive < livenessFailures) return null;
  const checks = notAlive === 1 ? "a check" : `${notAlive} checks in a row`;
  return { code: "HAL_FAILED", cause: "liveness", reason: `liveness: ${checks} failed: ${detail}` };
}
