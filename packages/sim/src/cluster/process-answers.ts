import type { HealthAnswer } from "@halon/service/core";
import type { ProcessAnswer, Question, SimProcess } from "./processes.ts";

/** MiB a second that a process takes while it leaks. */
const leakMbASecond = 100;

/** What a process answers; null is one that has ended. */
export function answerOf(
  type: Question,
  process: SimProcess | null,
  now: number,
  isLate: boolean,
): ProcessAnswer {
  const code = isLate ? "HAL_TIMEOUT" : "HAL_SERVICE_NOT_RUNNING";
  const reason = isLate ? "no answer in time" : "it does not run";
  const isGone = process === null || isLate;
  switch (type) {
    case "health":
      if (isLate) return { type, answer: { type: "timedOut" } };
      return { type, answer: process === null ? { type: "notRunning" } : healthOf(process, now) };
    case "alive":
      return { type, answer: isGone ? { ok: false, detail: reason } : { ok: true } };
    case "status": {
      if (isGone) return { type, answer: { type: "failed", code, reason } };
      const report = { pid: process.pid, version: process.config.version };
      return { type, answer: { type: "report", report, bytes: JSON.stringify(report).length } };
    }
    case "reconfigure":
      if (isGone) return { type, answer: { type: "failed", code, reason } };
      if (process.spawn.manifest.kind !== "worker") return { type, answer: { type: "restart" } };
      return process.config.isBad
        ? {
            type,
            answer: { type: "failed", code: "HAL_CONFIG_INVALID", reason: "it does not take it" },
          }
        : { type, answer: { type: "done" } };
  }
}

function healthOf(process: SimProcess, now: number): HealthAnswer {
  if (process.plight.failsChecksUntilUs > now)
    return { type: "answered", health: "fail", detail: "it is not well" };
  return { type: "answered", health: "ok" };
}

/** MiB that it takes. */
export function memoryOf({ script, plight }: SimProcess, now: number): number {
  const { leaksSinceUs } = plight;
  if (leaksSinceUs === null) return script.memoryMb;
  return script.memoryMb + Math.floor(((now - leaksSinceUs) * leakMbASecond) / 1_000_000);
}
