import { expect, test } from "vitest";
import {
  afterEnd,
  crashWindowMs,
  firstSupervision,
  restartMsMost,
  type Supervision,
  steadyMs,
  type ThreadEnd,
} from "./supervision.ts";

interface End {
  readonly end: ThreadEnd;
  readonly now: number;
  readonly ranMs: number;
}

/** Waits and requests to hand over, after each of these ends. */
function decisions(ends: readonly End[]) {
  let state: Supervision = firstSupervision;
  return ends.map(({ end, ...at }) => {
    const [after, next] = afterEnd(state, end, at);
    state = after;
    return next;
  });
}

test("a coordinator that lost its leadership starts again at once", () => {
  const ends = [1, 2, 3].map((at) => ({ end: "lost" as const, now: at * 1_000, ranMs: 900 }));
  expect(decisions(ends).map(({ waitMs }) => waitMs)).toEqual([0, 0, 0]);
});

test("a store that ends as soon as it is opened is not opened without a pause", () => {
  const ends = [1, 2, 3].map((now) => ({ end: "lost" as const, now, ranMs: 0 }));
  expect(decisions(ends)).toEqual([
    { waitMs: 100, handsOver: false },
    { waitMs: 200, handsOver: false },
    { waitMs: 400, handsOver: false },
  ]);
});

test("waits after crashes double up to 10 s, and begin anew after a thread that ran", () => {
  const crash = (at: number, ranMs = 0) => ({ end: "crashed" as const, now: at * 1e6, ranMs });
  const waits = decisions([...Array(9).keys()].map((at) => crash(at))).map(({ waitMs }) => waitMs);
  expect(waits.slice(0, 3)).toEqual([100, 200, 400]);
  expect(waits.at(-1)).toBe(restartMsMost);
  const again = decisions([crash(1), crash(2), crash(3, steadyMs)]);
  expect(again.at(-1)?.waitMs).toBe(100);
});

test("two crashes within a minute hand leadership over, once", () => {
  const crash = (now: number) => ({ end: "crashed" as const, now, ranMs: 500 });
  const ends = [crash(0), crash(crashWindowMs - 1), crash(crashWindowMs), crash(crashWindowMs * 3)];
  expect(decisions(ends).map(({ handsOver }) => handsOver)).toEqual([false, true, false, false]);
});

test("a rule file that is left out costs no wait and counts as no crash", () => {
  const ends: End[] = [
    { end: "crashed", now: 0, ranMs: 500 },
    { end: "suspected", now: 1, ranMs: 0 },
    { end: "suspected", now: 2, ranMs: 0 },
  ];
  expect(decisions(ends).slice(1)).toEqual([
    { waitMs: 0, handsOver: false },
    { waitMs: 0, handsOver: false },
  ]);
});
