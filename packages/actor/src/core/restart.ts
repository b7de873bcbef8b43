/** What a supervisor does about a child that ended. */
export type RestartDecision =
  | { readonly type: "restart"; readonly restarts: readonly number[] }
  | { readonly type: "giveUp"; readonly restarts: readonly number[] };

/**
 * Restart again, or give up because more than `intensity` restarts fell within `periodMs` (OTP supervisor).
 *
 * `restarts` holds the times of earlier restarts in ms, oldest first; what left the period is forgotten.
 */
export function restartDecision(
  restarts: readonly number[],
  now: number,
  intensity: number,
  periodMs: number,
): RestartDecision {
  const recent = restarts.filter((at) => now - at < periodMs);
  if (recent.length >= intensity) return { type: "giveUp", restarts: recent };
  return { type: "restart", restarts: [...recent, now] };
}
