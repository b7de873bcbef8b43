import { expect, test } from "vitest";
import { graceMs, Liveness, lostAfterMs } from "./liveness.ts";

test("a node whose link breaks is suspect at once and down a second later, told once", () => {
  const liveness = new Liveness();
  liveness.attach("node-2", 7);
  expect(liveness.detach("node-2", "cut", 100)).toEqual([
    { type: "NodeSuspected", node: "node-2", incarnation: 7, reason: "cut" },
  ]);
  expect(liveness.tick(100 + lostAfterMs - 1)).toEqual([]);
  expect(liveness.tick(100 + lostAfterMs)).toEqual([
    { type: "NodeLost", node: "node-2", incarnation: 7, reason: "cut" },
  ]);
  expect(liveness.tick(1e9)).toEqual([]);
});

test("a node that comes back in time is not down", () => {
  const liveness = new Liveness();
  liveness.attach("node-2", 7);
  liveness.detach("node-2", "cut", 100);
  liveness.attach("node-2", 7);
  expect(liveness.tick(1e9)).toEqual([]);
  expect(liveness.isAttached("node-2")).toBe(true);
});

test("the break of a link that was replaced is no news", () => {
  const liveness = new Liveness();
  liveness.attach("node-2", 7);
  liveness.detach("node-2", "cut", 100);
  expect(liveness.detach("node-2", "cut again", 200)).toEqual([]);
  expect(liveness.nextAt()).toBe(100 + lostAfterMs);
});

test("after a start of the tracking node the others have their time to come back", () => {
  const liveness = new Liveness();
  liveness.expect("node-2", 7, 0);
  expect(liveness.tick(graceMs - 1)).toEqual([]);
  expect(liveness.tick(graceMs)).toMatchObject([{ type: "NodeLost", node: "node-2" }]);
});

test("a node that has attached is not expected any more", () => {
  const liveness = new Liveness();
  liveness.attach("node-2", 7);
  liveness.expect("node-2", 7, 0);
  expect(liveness.tick(1e9)).toEqual([]);
});
