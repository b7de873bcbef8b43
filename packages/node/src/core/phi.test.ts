import { expect, test } from "vitest";
import { Intervals, phi } from "./phi.ts";

test("phi is the chance of such a silence as a power of ten", () => {
  const spread = { meanMs: 100, deviationMs: 50 };
  expect(phi(100, spread)).toBeCloseTo(0.301, 3);
  // Of the normal distribution: 1.2816, 3.0902, 5.6120 and 11.4640 deviations.
  expect(phi(100 + 64.08, spread)).toBeCloseTo(1, 1);
  expect(phi(100 + 154.5, spread)).toBeCloseTo(3, 1);
  expect(phi(100 + 280.6, spread)).toBeCloseTo(8, 1);
  expect(phi(100 + 573.2, spread)).toBeCloseTo(30, 1);
  expect(phi(100 - 154.5, spread)).toBeCloseTo(0, 2);
});

test("it grows with the silence, without an end", () => {
  const spread = { meanMs: 100, deviationMs: 50 };
  let last = -1;
  for (let ms = 0; ms < 10_000; ms += 10) {
    const now = phi(ms, spread);
    expect(now).toBeGreaterThan(last);
    last = now;
  }
  expect(Number.isFinite(last)).toBe(true);
});

test("the last 100 intervals count, with a deviation of at least 50 ms", () => {
  const intervals = new Intervals();
  for (let count = 0; count < 9; count += 1) intervals.add(7_000);
  expect(intervals.spread).toEqual({ meanMs: 100, deviationMs: 150 });
  for (let count = 0; count < 100; count += 1) intervals.add(100);
  expect(intervals.spread).toEqual({ meanMs: 100, deviationMs: 50 });
  for (let count = 0; count < 50; count += 1) intervals.add(300);
  expect(intervals.spread).toEqual({ meanMs: 200, deviationMs: 100 });
  intervals.clear();
  expect(intervals.spread).toEqual({ meanMs: 100, deviationMs: 150 });
});
