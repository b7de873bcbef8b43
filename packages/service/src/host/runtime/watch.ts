import { HalonError } from "@halon/protocol";
import { firstCheck, judge, judgeChecks, judgeLiveness, nextCheck } from "../../core/index.ts";
import { limits } from "../limits.ts";
import type { Instance } from "./instance.ts";

/** Watches the instances that run: beats, memory and checks. It ends what hangs and never starts anything. */
export interface Watch {
  add(instance: Instance): void;
  remove(instance: Instance): void;
  /** Grows with every look at the instances. */
  looks(): number;
  stop(): void;
}

/** `instances` are looked at as they are at each look; `now` is in monotonic ms. */
export function createWatch(now: () => number): Watch {
  const checks = new Map<Instance, NodeJS.Timeout>();
  const killedAt = new Map<Instance, number>();
  let lookedAt = now();
  let looks = 0;
  const look = setInterval(() => {
    looks += 1;
    const lookLateMs = now() - lookedAt - limits.superviseEveryMs;
    lookedAt = now();
    for (const instance of checks.keys()) lookAt(instance, lookLateMs);
  }, limits.superviseEveryMs);
  look.unref();

  function lookAt(instance: Instance, lookLateMs: number): void {
    if (instance.state === "killing") {
      killAgain(instance);
      return;
    }
    if (instance.state !== "running") return;
    const { runner, spec } = instance;
    const cause = judge(
      { silentMs: runner.silentMs(), memoryMb: runner.memoryMb(), lookLateMs },
      {
        silentMsMax: limits.silentMsMax,
        memoryMbMax: spec.manifest.memoryMb,
        lookLateMsMax: limits.lookLateMsMax,
      },
    );
    if (cause !== null) instance.take({ type: "failed", cause });
  }

  function killAgain(instance: Instance): void {
    const last = killedAt.get(instance);
    if (last !== undefined && now() - last < limits.killRetryMs) return;
    // The first kill came with the state; a signal may have been lost with a pid namespace or a freezer.
    if (last !== undefined) instance.runner.kill();
    killedAt.set(instance, now());
  }

  function schedule(instance: Instance): void {
    const inMs = Math.max(0, instance.schedule.dueAtMs - now());
    const timer = setTimeout(() => void check(instance), inMs);
    timer.unref();
    checks.set(instance, timer);
  }

  async function check(instance: Instance): Promise<void> {
    if (!checks.has(instance) || instance.state !== "running") return;
    const beganAtMs = now();
    const [outcome, alive] = await Promise.all([askHealth(instance), askAlive(instance)]);
    if (!checks.has(instance) || instance.state !== "running") return;
    const { checkEveryMs, livenessFailures } = instance.spec.manifest;
    instance.schedule = nextCheck(instance.schedule, {
      outcome,
      isAlive: alive.ok,
      beganAtMs,
      nowMs: now(),
      checkEveryMs,
    });
    const cause =
      judgeLiveness(instance.schedule, livenessFailures, alive.detail ?? "it said no") ??
      judgeChecks(instance.schedule, limits.checkTimeoutsMax);
    if (cause === null) schedule(instance);
    else instance.take({ type: "failed", cause });
  }
  return {
    add(instance) {
      instance.schedule = firstCheck(now());
      schedule(instance);
    },
    remove(instance) {
      clearTimeout(checks.get(instance));
      checks.delete(instance);
      killedAt.delete(instance);
    },
    looks: () => looks,
    stop() {
      clearInterval(look);
      for (const timer of checks.values()) clearTimeout(timer);
      checks.clear();
    },
  };
}

/** Asks once, and notes what was answered; a check that throws is a service that fails its check. */
export async function askHealth(instance: Instance): Promise<"answered" | "timedOut"> {
  try {
    const answer = await instance.runner.check(instance.spec.manifest.checkTimeoutMs);
    instance.noteHealth(answer.health, answer.detail);
  } catch (error) {
    if (error instanceof HalonError && error.code === "HAL_TIMEOUT") return "timedOut";
    // Its end is reported by itself.
    if (error instanceof HalonError && error.code === "HAL_SERVICE_NOT_RUNNING") return "answered";
    instance.noteHealth("fail", reasonOf(error));
  }
  return "answered";
}

/** A runner that has no liveness to ask for is alive while it runs. */
export async function askAlive({
  runner,
  spec,
}: Instance): Promise<{ ok: boolean; detail?: string }> {
  const answer = await runner.alive?.(spec.manifest.checkTimeoutMs);
  return answer ?? { ok: true };
}

/** The text of what was thrown, short enough for an event. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 2_000);
}
