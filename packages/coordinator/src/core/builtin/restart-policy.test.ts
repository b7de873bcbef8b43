import { describe, expect, test } from "vitest";
import { restartDecision } from "./restart-policy.ts";

const policy = {
  resetAfterMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 30_000,
  maxFailures: 5,
  windowMs: 60_000,
  configTries: 3,
};
const decide = (failures: readonly number[], healthyMs = 0, given: object = {}) =>
  restartDecision({
    policy: { ...policy, ...given },
    failures,
    now: 100_000,
    healthyMs,
    seed: "s",
  });
const ago = (...ms: readonly number[]) => ms.map((each) => 100_000 - each);

describe.each([
  { counted: 0, baseMs: 100 },
  { counted: 1, baseMs: 200 },
  { counted: 2, baseMs: 400 },
  { counted: 3, baseMs: 800 },
])("after $counted counted failures", ({ counted, baseMs }) => {
  const failures = Array.from({ length: counted }, (_, each) => 90_000 + each);

  test(`the delay is ${baseMs} ms, 25 % more or less, and not the same for all`, () => {
    const delays = Array.from({ length: 400 }, (_, each) => {
      const seed = `web@a#${each}`;
      const decision = restartDecision({ policy, failures, now: 100_000, healthyMs: 0, seed });
      return decision.type === "restart" ? decision.delayMs : Number.NaN;
    });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(baseMs * 0.75);
    expect(Math.max(...delays)).toBeLessThanOrEqual(baseMs * 1.25);
    expect(new Set(delays).size).toBeGreaterThan(20);
  });
});

test("no delay is over the most that the policy allows, jitter included", () => {
  for (const seed of ["a", "b", "c", "d", "e", "f"]) {
    const decision = restartDecision({
      policy: { ...policy, maxFailures: 100 },
      failures: Array.from({ length: 40 }, () => 99_000),
      now: 100_000,
      healthyMs: 0,
      seed,
    });
    expect(decision).toMatchObject({ type: "restart" });
    if (decision.type === "restart") expect(decision.delayMs).toBeLessThanOrEqual(30_000);
  }
});

test("the same instance gets the same delay whenever it is asked", () => {
  expect(decide([])).toEqual(decide([]));
});

test.each([
  { healthyMs: 9_999, delayed: true, counted: 1 },
  { healthyMs: 10_000, delayed: false, counted: 0 },
])("healthy for $healthyMs ms: delayed $delayed, counted $counted", (each) => {
  const decision = decide([], each.healthyMs);
  expect(decision.failures).toHaveLength(each.counted);
  expect(decision.type === "restart" && decision.delayMs > 0).toBe(each.delayed);
});

test.each([
  { what: "the fifth failure within the window", failures: ago(59_999, 3, 2, 1), type: "broken" },
  {
    what: "a fifth, the first having left the window",
    failures: ago(60_000, 3, 2, 1),
    type: "restart",
  },
  { what: "the fourth", failures: ago(3, 2, 1), type: "restart" },
])("$what: $type", ({ failures, type }) => {
  expect(decide(failures).type).toBe(type);
});

test("a failure after a healthy time breaks nothing, however many came before", () => {
  expect(decide(ago(4, 3, 2, 1), 10_000)).toMatchObject({ type: "restart", delayMs: 0 });
});
