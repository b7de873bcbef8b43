/** How one attempt to call a webhook ended. */
export type AttemptResult =
  /** `retryAfter`: the field of this name in the answer. */
  | { readonly type: "answered"; readonly status: number; readonly retryAfter?: string }
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

/** The wait after the n-th attempt: 1, 2, 4 … s, at most a minute; longer when the answer asks for it. */
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
  const askedMs = result.type === "answered" ? waitAsked(result.retryAfter, now) : 0;
  const inMs = Math.max(askedMs, Math.min(waitMaxMs, 1_000 * 2 ** (number - 1)));
  if (now + inMs < until) return { type: "again", inMs };
  const asked = askedMs === inMs ? `, which asks for ${Math.ceil(inMs / 1_000)} s of patience` : "";
  const late = `${reason}, at attempt ${number}${asked}, and the deadline leaves no time for another`;
  return { type: "end", outcome: "timedOut", reason: late };
}

/** Retry-After (RFC 9110 §10.2.3), seconds or a date, as ms from now; 0 for none and for what is neither. */
function waitAsked(field: string | undefined, now: number): number {
  if (field === undefined) return 0;
  if (/^\d{1,9}$/.test(field)) return 1_000 * Number(field);
  // A date begins with the day of the week; others, such as -5, are read as dates too.
  const at = /^[A-Z][a-z]{2}/.test(field) ? Date.parse(field) : Number.NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
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
