/** How one attempt to call a webhook ended. */
export type AttemptResult =
  | { readonly type: "answered"; readonly status: number }
  /** No answer: the network, or it took too long. */
  | { readonly type: "broken"; readonly reason: string };

/** What comes after an attempt. */
export type NextAttempt =
  | {
      readonly type: "end";
      readonly outcome: "done" | "failed" | "timedOut";
      readonly reason?: string;
    }
  | { readonly type: "again"; readonly inMs: number };

/** The wait after the n-th attempt: 1, 2, 4 … s, at most a minute. */
const waitMaxMs = 60_000;
/** One attempt must not use up the time of all. */
const attemptMsMax = 30_000;

/** How long an attempt may take that begins now; null when the deadline is over. Wall time in ms. */
export function attemptMs(now: number, until: number): number | null {
  return now >= until ? null : Math.min(attemptMsMax, until - now);
}

/** Decides after the attempt with this number, from 1, whether there is another, and when. */
export function afterAttempt(
  result: AttemptResult,
  around: {
    readonly number: number;
    readonly attempts: number;
    readonly now: number;
    readonly until: number;
  },
): NextAttempt {
  const { number, attempts, now, until } = around;
  if (result.type === "answered" && !isTransient(result.status)) return ended(result.status);
  const reason =
    result.type === "broken" ? result.reason : `it answered with status ${result.status}`;
  if (number >= attempts)
    return {
      type: "end",
      outcome: "failed",
      reason: `${reason}, at attempt ${number} of ${attempts}`,
    };
  const inMs = Math.min(waitMaxMs, 1_000 * 2 ** (number - 1));
  if (now + inMs < until) return { type: "again", inMs };
  const late = `${reason}, at attempt ${number}, and the deadline leaves no time for another`;
  return { type: "end", outcome: "timedOut", reason: late };
}

function ended(status: number): NextAttempt {
  if (status >= 200 && status < 300) return { type: "end", outcome: "done" };
  const advice =
    status >= 300 && status < 400 ? "; redirects are not followed, give the final address" : "";
  return { type: "end", outcome: "failed", reason: `it answered with status ${status}${advice}` };
}

function isTransient(status: number): boolean {
  return status === 429 || status >= 500;
}
