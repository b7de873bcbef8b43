import { dumpTree } from "@halon/kv";
import { expect, test } from "vitest";
import { Hand, writeOf } from "./core/testing.ts";
import { viewOf } from "./member-view.ts";

const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];

test("the tree as of each transaction can be made again, within an entry too", () => {
  const hand = new Hand(["a"], { compactionStep: 1_000_000 });
  hand.elect("a");
  hand.turn("a", writeOf([set("/x", 2), set("/x", 3), set("/x", 4)]));
  hand.settle();
  hand.turn("a", writeOf([set("/x", 5)]));
  hand.settle();
  const { at, logTime } = viewOf(hand.replica("a"));
  const shown = [2, 3, 4, 5, 99].map((index) => JSON.parse(dumpTree(at(index), logTime)).x);
  expect(shown).toEqual([2, 3, 4, 5, 5]);
});

test("an index before what is kept shows the oldest tree that is kept", () => {
  const hand = new Hand(["a"], { compactionStep: 2, compactionKeep: 0 });
  hand.elect("a");
  for (let value = 2; value <= 9; value++) {
    hand.turn("a", writeOf([set("/x", value)]));
    hand.settle();
    const last = hand.effects.findLast(({ effect }) => effect.type === "takeSnapshot")?.effect;
    if (last?.type !== "takeSnapshot") continue;
    hand.give("a", { type: "snapshotSaved", snapshot: last.snapshot, bytes: 1 });
  }
  const view = viewOf(hand.replica("a"));
  const oldest = JSON.parse(dumpTree(view.at(1), view.logTime)).x;
  expect(oldest).toBeGreaterThan(2);
  expect(oldest).toBeLessThanOrEqual(9);
});
