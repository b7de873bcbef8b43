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
