import type { Json } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { checkLinearizable, type Operation, type Outcome } from "./linearizability.ts";

type Times = readonly [start: number, end: number];

let nextId = 0;
const call = ([start, end]: Times) => ({ id: `o${nextId++}`, start, end });
const read = (times: Times, value: Json, key = "k"): Operation => ({
  ...call(times),
  ...{ type: "read", key, value, outcome: "ok" },
});
const write = (
  times: Times,
  value: Json,
  { key = "k", outcome = "ok" as Exclude<Outcome, "failed"> } = {},
): Operation => ({ ...call(times), type: "write", key, value, outcome });
const cas = (times: Times, expected: Json, value: Json, outcome: Outcome = "ok"): Operation => ({
  ...call(times),
  ...{ type: "cas", key: "k", expected, value, outcome },
});
const txn = (
  times: Times,
  required: Readonly<Record<string, Json>>,
  set: Readonly<Record<string, Json>> = {},
  outcome: Outcome = "ok",
): Operation => {
  const list = (of: Readonly<Record<string, Json>>) =>
    Object.entries(of).map(([key, value]) => ({ key, value }));
  return { ...call(times), type: "txn", required: list(required), set: list(set), outcome };
};
const lost = { outcome: "unknown" } as const;

interface Case {
  readonly name: string;
  readonly history: readonly Operation[];
}

const right: readonly Case[] = [
  { name: "an empty history", history: [] },
  { name: "an absent key reads as null", history: [read([0, 1], null)] },
  { name: "a read after a write gives its value", history: [write([0, 1], 1), read([2, 3], 1)] },
  {
    name: "a read beside a write gives the value before or after",
    history: [write([0, 1], 1), write([2, 9], 2), read([3, 4], 1), read([5, 6], 2)],
  },
  {
    name: "operations that touch in time are concurrent",
    history: [write([0, 1], 1), read([1, 2], null)],
  },
  {
    name: "an unknown write may take effect long after",
    history: [write([0, 1], 1, lost), write([2, 3], 2), read([4, 5], 2), read([6, 7], 1)],
  },
  {
    name: "an unknown write may never take effect",
    history: [write([0, 1], 1, lost), read([2, 9], null)],
  },
  {
    name: "an unknown read and a refused write say nothing",
    history: [
      { ...call([0, 1]), type: "read", key: "k", outcome: "unknown" },
      write([0, 1], 1, { outcome: "refused" }),
      read([2, 3], null),
    ],
  },
  {
    name: "a cas finds what it requires",
    history: [cas([0, 1], null, 1), cas([2, 3], 1, 2), read([4, 5], 2)],
  },
  {
    name: "a failed cas met another value",
    history: [write([0, 1], 1), cas([2, 3], 2, 3, "failed"), read([4, 5], 1)],
  },
  {
    name: "an unknown write explains a failed cas",
    history: [write([0, 1], 1), write([2, 3], 2, lost), cas([4, 5], 1, 9, "failed")],
  },
  {
    name: "a chain of unknown operations explains a read",
    history: [
      write([0, 1], 1, lost),
      cas([0, 1], 1, 2, "unknown"),
      cas([0, 1], 2, 3, "unknown"),
      read([5, 6], 3),
    ],
  },
  {
    name: "two unknown writes to different keys are needed at once",
    history: [
      write([0, 1], 1, { key: "a", ...lost }),
      write([0, 1], 1, { key: "b", ...lost }),
      txn([2, 3], { a: 1, b: 1 }),
    ],
  },
  {
    name: "an unknown transaction explains reads of both its keys",
    history: [
      txn([0, 1], {}, { a: 1, b: 2 }, "unknown"),
      read([2, 3], 1, "a"),
      read([4, 5], 2, "b"),
    ],
  },
  {
    name: "of two unknown operations the one is taken that leaves the other for later",
    history: [
      write([0, 1], 1, lost),
      cas([0, 1], null, 1, "unknown"),
      read([2, 3], 1),
      write([4, 5], 2),
      read([6, 7], 1),
    ],
  },
  {
    name: "an unknown transaction came before a write that hides half of it",
    history: [
      txn([0, 1], {}, { a: 1, b: 1 }, "unknown"),
      write([2, 3], 2, { key: "b" }),
      read([4, 5], 2, "b"),
      read([6, 7], 1, "a"),
      read([8, 9], 2, "b"),
    ],
  },
  {
    name: "a write that came too early for one reader comes later for another",
    history: [
      write([0, 1], 1),
      write([2, 20], 4),
      cas([2, 25], 1, 3),
      cas([8, 9], 3, 4),
      write([10, 11], 5),
      read([12, 13], 5),
      read([14, 15], 4),
    ],
  },
  {
    name: "a failed transaction needs only one of its requirements to be broken",
    history: [write([0, 1], 1, { key: "a" }), txn([2, 3], { a: 1, b: 1 }, { a: 2 }, "failed")],
  },
  {
    name: "equal objects are one value",
    history: [write([0, 1], { a: 1, b: 2 }), read([2, 3], { b: 2, a: 1 })],
  },
  {
    name: "no key is special",
    history: [
      write([0, 1], 1, { key: "__proto__" }),
      read([2, 3], 1, "__proto__"),
      read([2, 3], null, "constructor"),
    ],
  },
  {
    name: "a write of the same value may be needed later",
    history: [
      write([0, 1], 1),
      write([2, 9], 1),
      write([3, 4], 2),
      read([5, 6], 2),
      read([7, 8], 1),
    ],
  },
];

const wrong: readonly (Case & { readonly window: readonly number[] })[] = [
  { name: "a value that nobody wrote", history: [write([0, 1], 1), read([2, 3], 2)], window: [1] },
  {
    name: "a stale read",
    history: [write([0, 1], 1), write([2, 3], 2), read([4, 5], 1)],
    window: [1, 2],
  },
  { name: "a lost write", history: [write([0, 1], 1), read([2, 3], null)], window: [0, 1] },
  { name: "a read before its write", history: [read([0, 1], 1), write([2, 3], 1)], window: [0] },
  {
    name: "reads that go back during one write",
    history: [write([0, 9], 1), read([1, 2], 1), read([3, 4], null)],
    // The write stands in it as unknown.
    window: [0, 1, 2],
  },
  {
    name: "two winners of one cas",
    history: [cas([0, 9], null, 1), cas([1, 8], null, 2)],
    window: [0, 1],
  },
  {
    name: "a cas that fails on what it requires",
    history: [write([0, 1], 1), cas([2, 3], 1, 2, "failed")],
    window: [0, 1],
  },
  {
    name: "a failed cas that took effect",
    history: [write([0, 1], 1), cas([2, 3], 5, 2, "failed"), read([4, 5], 2)],
    window: [2],
  },
  {
    name: "a refused write that took effect",
    history: [write([0, 1], 1, { outcome: "refused" }), read([2, 3], 1)],
    window: [1],
  },
  {
    name: "an unknown write that took effect twice",
    history: [
      write([0, 1], 1, lost),
      write([2, 3], 2),
      read([4, 5], 1),
      write([6, 7], 3),
      read([8, 9], 1),
    ],
    window: [0, 2, 3, 4],
  },
  {
    name: "a transaction seen in halves",
    history: [txn([0, 1], {}, { a: 1, b: 1 }), read([2, 3], 1, "a"), read([4, 5], null, "b")],
    window: [0, 2],
  },
  {
    name: "a write skew",
    history: [txn([0, 9], { b: null }, { a: 1 }), txn([0, 9], { a: null }, { b: 1 })],
    window: [0, 1],
  },
  {
    name: "a transaction that fails without a requirement",
    history: [txn([0, 1], {}, { a: 1 }, "failed")],
    window: [0],
  },
];

describe("checkLinearizable accepts", () => {
  test.each(right)("$name", ({ history }) => {
    expect(checkLinearizable(history)).toMatchObject({ type: "linearizable" });
  });
});

describe("checkLinearizable refuses, and shows what contradicts itself:", () => {
  test.each(wrong)("$name", ({ history, window }) => {
    const verdict = checkLinearizable(history);
    expect(verdict).toMatchObject({ type: "violation", isConfirmed: true });
    const ids = verdict.type === "violation" ? verdict.window.map(({ id }) => id) : [];
    expect(ids.sort()).toEqual(window.map((at) => history[at]?.id).sort());
  });
});

test("a violation names its keys and not others", () => {
  const history = [write([0, 1], 1, { key: "a" }), read([2, 3], 5, "b"), read([2, 3], 1, "a")];
  expect(checkLinearizable(history)).toMatchObject({ type: "violation", keys: ["b"] });
});

test("an order is told for each group of connected keys", () => {
  const history = [
    write([0, 9], 1, { key: "a" }),
    txn([0, 9], { a: 1 }, { b: 1 }),
    write([0, 1], 1, { key: "c" }),
  ];
  const verdict = checkLinearizable(history);
  expect(verdict).toEqual({
    type: "linearizable",
    orders: [[history[0]?.id, history[1]?.id], [history[2]?.id]],
  });
});

test("a history that cannot be is refused", () => {
  expect(() => checkLinearizable([read([2, 1], null)])).toThrow("starts at 2 and ends at 1");
  expect(() => checkLinearizable([read([Number.NaN, 1], null)])).toThrow("starts at NaN");
  const twice = read([0, 1], null);
  expect(() => checkLinearizable([twice, twice])).toThrow("two operations have the id");
});
