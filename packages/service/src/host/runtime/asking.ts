import type { Cause } from "../../core/index.ts";
import type { Instance } from "./instance.ts";
import type { Answer } from "./runtime.ts";
import { askAlive, askHealth } from "./watch.ts";

/** What was answered, and why the instance must be ended where others doubt it too. */
interface Asked {
  readonly answer: Answer;
  readonly cause?: Cause;
}

/**
 * Asks for a Check and tells the answer.
 *
 * With a doubt of others it asks for liveness too, and ends an instance that gives no answer or is not alive, without
 * waiting for further failures: the others have waited for theirs.
 */
export async function checkNow(
  instance: Instance,
  doubt: string | undefined,
  tell: (answer: Answer) => void,
): Promise<void> {
  const { answer, cause } = await (doubt === undefined
    ? askReadiness(instance)
    : askBoth(instance));
  tell(answer);
  if (doubt === undefined || cause === undefined) return;
  const reason = `${cause.reason}; ${doubt}`.slice(0, 4_000);
  instance.take({ type: "failed", cause: { ...cause, reason } });
}

/** Asks for readiness and liveness; one that is not alive fails. */
export async function askBoth(instance: Instance): Promise<Asked> {
  const [readiness, alive] = await Promise.all([askReadiness(instance), askAlive(instance)]);
  if (alive.ok) return readiness;
  const detail = alive.detail ?? "its liveness check said no";
  const cause: Cause = { code: "HAL_FAILED", cause: "liveness", reason: `liveness: ${detail}` };
  return { answer: { health: "fail", detail }, cause };
}

async function askReadiness(instance: Instance): Promise<Asked> {
  if ((await askHealth(instance)) === "answered") {
    const { health, healthDetail: detail } = instance;
    return { answer: { health, ...(detail === undefined ? {} : { detail }) } };
  }
  const detail = `no answer within ${instance.spec.manifest.checkTimeoutMs} ms`;
  const reason = `hung: its check got ${detail}`;
  return {
    answer: { health: "unknown", detail },
    cause: { code: "HAL_FAILED", cause: "hung", reason },
  };
}
