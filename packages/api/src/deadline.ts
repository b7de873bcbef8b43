/**
 * A signal that aborts with a TimeoutError after so many milliseconds, or with the reason of `signal` before that.
 *
 * Node 20 drops a timeout that nothing but `AbortSignal.any` refers to when it collects garbage, and then it never fires.
 * It keeps one that has a listener, until it fires.
 */
export function deadlineWithin(timeoutMs: number, signal: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  timeout.addEventListener("abort", () => undefined);
  return AbortSignal.any([timeout, signal]);
}
