import type { DecisionRecord } from "@halon/protocol";
import type {
  ClusterInvariant,
  ClusterInvariantId,
} from "../../cluster/invariants/cluster-invariant.ts";
import { violated } from "../../invariants/invariant.ts";
import type { World } from "../../world.ts";
import type { LedTime, Passed } from "../led-time.ts";

/** Clocks run so much too fast or too slow, at most; in a thousand. */
const driftPerMille = 20;
/** Log time is in whole ms, at both ends. */
const roundingMs = 2;
/** From the moment at which a timer is due to its decision. */
const decisionMs = 200;
/** After a time without a majority: until what was lost on the way has been sent again. */
const repeatMs = 400;
/** Of log time, what a takeover may lose besides: the time since the last mark, a part of what is left (RFC 0001). */
const markMs = 500;
const markShare = 20;

/** A timer that is armed. */
interface Armed {
  readonly due: number;
  /** How long it waits, by log time. */
  readonly ms: number;
  readonly passed: Passed;
}

/** A timer that fired. */
export interface Waited {
  readonly key: string;
  /** What was asked for. */
  readonly ms: number;
  /** True time from the decision that armed it to the one that it led to. */
  readonly waitedMs: number;
  /** During that time. */
  readonly unledMs: number;
  readonly gaps: number;
  readonly takeovers: number;
}

/** J3: no timer fires before its time, neither by the log nor by true time. */
export function neverEarly(led: LedTime): ClusterInvariant {
  return timed("J3", "no timer is early", led, ({ key, ms, waitedMs }) => {
    const leastMs = (ms * 1_000) / (1_000 + driftPerMille) - roundingMs;
    if (waitedMs < leastMs)
      violated("J3", `${key} fired after ${waitedMs.toFixed(1)} ms, it was armed for ${ms} ms`);
  });
}

/** J4: a timer is late by at most the time in which nobody led, and what a decision and a takeover take. */
export function latestByOutage(led: LedTime): ClusterInvariant {
  return timed("J4", "timers are late by the outage at most", led, (waited, world) => {
    const { key, ms, waitedMs, unledMs, gaps, takeovers } = waited;
    const lateMs = waitedMs - (ms * 1_000) / (1_000 - driftPerMille);
    const lostMs = takeovers * (Math.max(markMs, ms / markShare) + decisionMs) + gaps * repeatMs;
    if (lateMs > decisionMs) world.counters.timersLateByOutage += 1;
    if (lateMs > unledMs + lostMs + decisionMs)
      violated(
        "J4",
        `${key} fired ${lateMs.toFixed(0)} ms late, and nobody led for ${unledMs.toFixed(0)} ms, with ${takeovers} takeovers`,
      );
  });
}

/** What a time without a majority has lost may be on its way again when the timer is armed. */
function gapsBetween(armed: Passed, fired: Passed): number {
  const isRepeating = armed.us - armed.gapEndUs < repeatMs * 1_000;
  return fired.gaps - armed.gaps + (isRepeating ? 1 : 0);
}

/** A rule about each timer that fires. */
function timed(
  id: ClusterInvariantId,
  name: string,
  led: LedTime,
  judge: (waited: Waited, world: World) => void,
): ClusterInvariant {
  const armed = new Map<string, Armed>();
  const fire = (key: string, record: DecisionRecord, passed: Passed, world: World): void => {
    const timer = armed.get(key);
    if (timer === undefined) return;
    armed.delete(key);
    if (record.logTime < timer.due)
      violated(id, `${key} is due at ${timer.due}, and fired at ${record.logTime} of the log`);
    judge(
      {
        key,
        ms: timer.ms,
        waitedMs: (passed.us - timer.passed.us) / 1_000,
        unledMs: (passed.unledUs - timer.passed.unledUs) / 1_000,
        gaps: gapsBetween(timer.passed, passed),
        takeovers: passed.takeovers - timer.passed.takeovers,
      },
      world,
    );
  };
  return {
    id,
    name,
    beforeRecord({ world }, record) {
      const passed = led.decided(world, record);
      for (const { origin, firings } of record.decisions) {
        if (origin.type === "timer") fire(origin.key, record, passed, world);
        for (const change of firings.flatMap(({ timers }) => timers))
          if (change.type === "disarm") armed.delete(change.key);
          else
            armed.set(change.key, {
              due: change.due,
              ms: change.due - record.logTime,
              passed,
            });
      }
    },
  };
}
