import { expect, test } from "vitest";
import { type LoadState, loadAfterTick, noLoad, ticksDue } from "./load.ts";

const after = (load: LoadState, late: readonly number[]): LoadState =>
  late.reduce((state, lateMs) => loadAfterTick(state, lateMs, 300), load);

test("one long pause is no load, two late ticks together are", () => {
  expect(after(noLoad, [5_000, 0, 0]).timeoutMult).toBe(1);
  expect(after(noLoad, [250, 0, 250]).timeoutMult).toBe(3);
  expect(after(noLoad, [5_000, 5_000]).timeoutMult).toBe(10);
  expect(after(noLoad, [250, ...Array<number>(300).fill(0), 250]).timeoutMult).toBe(1);
});

test("after a minute without need one less is asked for", () => {
  const loaded = after(noLoad, [250, 250]);
  expect(after(loaded, Array<number>(3_900).fill(0)).timeoutMult).toBe(3);
  expect(after(loaded, Array<number>(4_001).fill(0)).timeoutMult).toBe(2);
});

test("after a pause at most one election's worth of ticks is given", () => {
  expect(ticksDue(14, 15, 20)).toBe(0);
  expect(ticksDue(46, 15, 20)).toBe(3);
  expect(ticksDue(60_000, 15, 20)).toBe(20);
});
