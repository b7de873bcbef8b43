import { expect, test } from "vitest";
import { FailureDetector, tickMs } from "./failure-detector.ts";
import {
  beginAnew,
  countFlap,
  graceMs,
  hear,
  neededPhi,
  silentMs,
  troubleOf,
  type Watched,
  watch,
} from "./watched.ts";

/** A linked node that was heard with these intervals, in ms; the last beat is at the time that is given back. */
function heard(intervals: readonly number[]): readonly [Watched, number] {
  const watched = watch("node-2", 1, { type: "linked" }, 0);
  let at = 0;
  for (const [turns, ms] of [0, ...intervals].entries()) {
    at += ms;
    hear(watched, at, turns);
  }
  return [watched, at];
}

const steady = Array.from({ length: 50 }, () => 100);
/** The first silence that is a suspicion, in ms. */
function suspectAfter(watched: Watched, last: number): number {
  for (let ms = 0; ms < 5_000; ms += 1)
    if (troubleOf(watched, last + ms, false)?.isVoiced === true) return ms;
  return Infinity;
}

test("silence is a suspicion after 500 ms of a steady node, later of an unsteady one, and after 1.5 s of any", () => {
  const unsteady = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 50 : 350));
  const wild = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 50 : 1_400));
  expect(suspectAfter(...heard(steady))).toBe(500);
  const later = suspectAfter(...heard(unsteady));
  expect(later).toBeGreaterThan(900);
  expect(later).toBeLessThan(1_200);
  expect(suspectAfter(...heard(wild))).toBe(1_500);
});

test("others are asked after 500 ms, however unsteady the node is", () => {
  const [watched, last] = heard(Array.from({ length: 50 }, (_, index) => (index % 2) * 700));
  expect(troubleOf(watched, last + 499, false)).toBeUndefined();
  expect(troubleOf(watched, last + 500, false)).toEqual({ type: "silent", isVoiced: false });
});

test("an outage does not make the next one look usual", () => {
  expect(suspectAfter(...heard([...steady, 8_000, ...steady]))).toBe(500);
});

test("of an unsteady node 500 ms do not make a suspicion while it was heard too little", () => {
  expect(suspectAfter(...heard([100, 100, 100]))).toBeGreaterThan(900);
});

test("what an observer saw before it was late counts for nothing", () => {
  const [watched, last] = heard(steady);
  beginAnew(watched, last + 400);
  expect(silentMs(watched, last + 500)).toBe(100);
  hear(watched, last + 500, 99);
  // The interval began before: it may have held beats that were missed.
  expect(suspectAfter(watched, last + 500)).toBeGreaterThan(900);
});

test("three suspicions within a minute double the phi that is needed, up to 32, for a minute", () => {
  const [watched] = heard(steady);
  const flap = (at: number): number => {
    countFlap(watched, at);
    return neededPhi(watched, at);
  };
  const seconds = (...some: number[]): number[] => some.map((one) => flap(one * 1_000));
  expect(seconds(0, 10)).toEqual([8, 8]);
  expect(seconds(20)).toEqual([16]);
  expect(seconds(30, 40, 50)).toEqual([16, 16, 32]);
  expect(seconds(60, 70, 80)).toEqual([32, 32, 32]);
  expect(neededPhi(watched, 139_999)).toBe(32);
  expect(neededPhi(watched, 140_000)).toBe(8);
  expect(seconds(200, 230, 260.1, 290.2)).toEqual([8, 8, 8, 8]);
});

test("a node that needs a larger phi is suspected later", () => {
  const [watched, last] = heard(steady);
  for (const at of [last - 3, last - 2, last - 1]) countFlap(watched, at);
  for (const at of [last - 3, last - 2, last - 1]) countFlap(watched, at);
  const later = suspectAfter(watched, last);
  expect(later).toBeGreaterThan(600);
  expect(later).toBeLessThan(800);
});

test("a node that is down in the graph is not waited for; one that is served is watched all the same", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.expect("node-2", 1, 0);
  detector.attach("node-3", 1, 0);
  for (const node of ["node-2", "node-3"]) detector.expectNoMore(node);
  expect(detector.unwatched(["node-2", "node-3", "node-4"])).toEqual(["node-2", "node-4"]);
  for (let at = 0; at <= 2 * graceMs; at += tickMs) expect(detector.tick(at)).toEqual([]);
});
