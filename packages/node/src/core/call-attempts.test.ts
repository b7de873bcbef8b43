import { describe, expect, test } from "vitest";
import { type AttemptResult, afterAttempt, attemptMs } from "./call-attempts.ts";

const after = (result: AttemptResult, around = {}) =>
  afterAttempt(result, { number: 1, attempts: 5, now: 0, until: 600_000, ...around });
const broken: AttemptResult = { type: "broken", reason: "connection refused" };

describe("after an attempt", () => {
  test.each([
    { status: 200, next: { type: "end", outcome: "done" } },
    { status: 204, next: { type: "end", outcome: "done" } },
    { status: 302, next: { type: "end", outcome: "failed" } },
    { status: 404, next: { type: "end", outcome: "failed" } },
    { status: 429, next: { type: "again", inMs: 1_000 } },
    { status: 500, next: { type: "again", inMs: 1_000 } },
    { status: 503, next: { type: "again", inMs: 1_000 } },
  ])("status $status: $next", ({ status, next }) => {
    expect(after({ type: "answered", status })).toMatchObject(next);
  });

  test("the waits are 1, 2, 4 … s, at most a minute", () => {
    const waits = [1, 2, 3, 4, 8].map((number) => after(broken, { number, attempts: 9 }));
    expect(waits).toEqual(
      [1_000, 2_000, 4_000, 8_000, 60_000].map((inMs) => ({ type: "again", inMs })),
    );
  });

  test.each([
    { field: "7", inMs: 7_000 },
    { field: "0", inMs: 1_000 },
    { field: "Thu, 01 Jan 1970 00:02:00 GMT", inMs: 110_000 },
    { field: "Thu, 01 Jan 1970 00:00:01 GMT", inMs: 1_000 },
    { field: "soon", inMs: 1_000 },
    { field: "-5", inMs: 1_000 },
  ])("Retry-After: $field makes it wait for $inMs ms", ({ field, inMs }) => {
    const result = { type: "answered", status: 503, retryAfter: field } as const;
    expect(after(result, { now: 10_000 })).toEqual({ type: "again", inMs });
  });

  test("a Retry-After that the deadline has no time for ends it at once, and says so", () => {
    const result = { type: "answered", status: 429, retryAfter: "3600" } as const;
    expect(after(result)).toEqual({
      type: "end",
      outcome: "timedOut",
      reason:
        "it answered with status 429, at attempt 1, which asks for 3600 s of patience, and the deadline leaves no time for another",
    });
  });

  test("the last attempt that fails ends it, with its reason", () => {
    expect(after(broken, { number: 5 })).toEqual({
      type: "end",
      outcome: "failed",
      reason: "connection refused, at attempt 5 of 5",
    });
  });

  test("there is none that would begin after the deadline", () => {
    expect(after(broken, { number: 3, now: 7_000, until: 11_000 })).toMatchObject({
      type: "end",
      outcome: "timedOut",
    });
  });
});

test("an attempt takes 30 s at most, and never goes on after the deadline", () => {
  expect([attemptMs(0, 60_000), attemptMs(0, 500), attemptMs(5, 5)]).toEqual([30_000, 500, null]);
});
