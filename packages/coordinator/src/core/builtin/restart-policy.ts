import type { RestartPolicy } from "@halon/protocol";

export type RestartDecision =
  | { readonly type: "restart"; readonly delayMs: number; readonly failures: readonly number[] }
  | { readonly type: "broken"; readonly failures: readonly number[] };

/**
 * What to do after a failure.
 *
 * `failures` are log times (ms) of counted failures, oldest first; `seed` makes the jitter of ± 25 % repeatable.
 */
export function restartDecision(input: {
  readonly policy: RestartPolicy;
  readonly failures: readonly number[];
  readonly now: number;
  readonly healthyMs: number;
  readonly seed: string;
}): RestartDecision {
  const { policy, now, healthyMs, seed } = input;
  const recent = input.failures.filter((time) => time > now - policy.windowMs);
  if (healthyMs >= policy.resetAfterMs) return { type: "restart", delayMs: 0, failures: recent };
  const failures = [...recent, now];
  if (failures.length >= policy.maxFailures) return { type: "broken", failures };
  const exponential = policy.backoffMs * 2 ** Math.min(failures.length - 1, 30);
  const jitter = 0.75 + (fnv1a(seed) % 1_001) / 2_000;
  const delayMs = Math.round(Math.min(exponential, policy.backoffMaxMs) * jitter);
  return {
    type: "restart",
    delayMs: Math.min(delayMs, policy.backoffMaxMs),
    failures,
  };
}

/** FNV-1a, 32 bits: spreads equal back-offs of many instances without a random source. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Of the timer that starts a slot again. */
export function restartKey(slot: string): string {
  return `restart/${slot}`;
}
