import { expect, test } from "vitest";
import { SupervisorWatch } from "./supervisor-watch.ts";

const beat = (at: number, supervisor: number, main = at / 50, incarnation = 1, start = 1) => ({
  at,
  supervisor,
  main,
  incarnation,
  start,
});

test("one that looks is well, however seldom its beats come", () => {
  const watch = new SupervisorWatch();
  for (let at = 0; at < 60_000; at += 3_000) {
    expect(watch.heard("b", beat(at, at / 100))).toBeNull();
  }
});

test("one that stands still while its node goes on is told of once, and again after it had looked", () => {
  const watch = new SupervisorWatch();
  const told = (from: number, supervisor: number): number => {
    let count = 0;
    for (let at = from; at < from + 5_000; at += 100) {
      if (watch.heard("b", beat(at, supervisor)) !== null) count += 1;
    }
    return count;
  };
  expect(told(0, 7)).toBe(1);
  expect(told(5_000, 8)).toBe(1);
});

test("a node that stands still as a whole is not its supervisor's fault", () => {
  const watch = new SupervisorWatch();
  for (let at = 0; at < 10_000; at += 100) {
    expect(watch.heard("b", beat(at, 7, 42))).toBeNull();
  }
});

test("a new start of the node begins anew", () => {
  const watch = new SupervisorWatch();
  watch.heard("b", beat(0, 7));
  expect(watch.heard("b", beat(2_000, 7, 40, 2))).toBeNull();
});

test("a new start of the supervisor begins anew: it is not told of for what the one before did not do", () => {
  const watch = new SupervisorWatch();
  watch.heard("b", beat(0, 7));
  expect(watch.heard("b", beat(2_000, 7, 40, 1, 2))).toBeNull();
  expect(watch.heard("b", beat(4_000, 7, 80, 1, 2))).not.toBeNull();
});

test("one that is watched no more is forgotten", () => {
  const watch = new SupervisorWatch();
  watch.heard("b", beat(0, 7));
  watch.keep(new Set(["c"]));
  expect(watch.heard("b", beat(5_000, 7))).toBeNull();
});

test("counters may wrap", () => {
  const watch = new SupervisorWatch();
  watch.heard("b", beat(0, 7, 0xffff_fffe));
  expect(watch.heard("b", beat(2_000, 7, 20))).not.toBeNull();
});
