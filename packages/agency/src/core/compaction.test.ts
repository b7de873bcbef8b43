import { describe, expect, test } from "vitest";
import { isSnapshotDue } from "./compaction.ts";
import { findTransaction, firstKept, loggedFrom } from "./log-view.ts";
import { decode, Hand, writeOf } from "./testing.ts";

const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];

test.each([
  { name: "too few transactions", transactions: 999, bytes: 500, bytesMin: 0, due: false },
  {
    name: "less log than the last snapshot",
    transactions: 5_000,
    bytes: 99,
    bytesMin: 0,
    due: false,
  },
  { name: "enough of both", transactions: 1_000, bytes: 100, bytesMin: 0, due: true },
  { name: "less log than the least", transactions: 5_000, bytes: 200, bytesMin: 201, due: false },
  { name: "the least", transactions: 1_000, bytes: 200, bytesMin: 200, due: true },
])("$name: due $due", ({ transactions, bytes, bytesMin, due }) => {
  const step = { transactions: 1_000, bytesMin };
  expect(isSnapshotDue({ transactions, bytes, snapshotBytes: 100 }, step)).toBe(due);
});

describe("a transaction", () => {
  const hand = new Hand(["a"], { compactionStep: 1_000_000 });
  hand.elect("a");
  // Entries of one to four transactions: 2, 3-4, 5-7, 8-11.
  for (let count = 1; count <= 4; count++) {
    hand.turn("a", writeOf(Array.from({ length: count }, (_, at) => set(`/k${at}`, count))));
    hand.settle();
  }
  const { raft, appliedIndex, committed } = hand.replica("a");

  test.each([
    { transaction: 1, entry: 2 },
    { transaction: 2, entry: 3 },
    { transaction: 4, entry: 4 },
    { transaction: 5, entry: 5 },
    { transaction: 11, entry: 6 },
    { transaction: 0, entry: null },
  ])("$transaction is found in entry $entry", ({ transaction, entry }) => {
    expect(findTransaction(raft.log, appliedIndex, transaction)).toBe(entry);
  });

  test("is shown with what the client sent, from any index on", () => {
    const shown = [...loggedFrom(raft.log, appliedIndex, 10, decode)];
    expect(shown.map(({ index, term, operations }) => ({ index, term, operations }))).toEqual([
      { index: 10, term: 1, operations: '{"/k2":{"op":"set","new":4}}' },
      { index: 11, term: 1, operations: '{"/k3":{"op":"set","new":4}}' },
    ]);
    expect(firstKept(raft.log, appliedIndex, committed)).toBe(1);
  });
});

test("of records a snapshot keeps as many as its bytes allow, however old the commands before them are", () => {
  const hand = new Hand(["a"], { compactionStep: 1_000_000, compactionKeep: 2 });
  hand.elect("a");
  const { currentTerm: epoch } = hand.replica("a").raft;
  const write = (count: number): void => {
    for (let at = 0; at < count; at++) hand.turn("a", writeOf([set(`/k${at}`, count)]));
    hand.settle();
  };
  write(5);
  hand.append("a", { position: 1, epoch });
  hand.settle();
  const { lastIndex } = hand.replica("a").raft.log;
  write(5);
  hand.give("a", { type: "hostSnapshot", id: 901, position: 1 });
  hand.save("a");
  expect(hand.replica("a").raft.log.firstIndex).toBe(lastIndex);
});

test.each([
  { compactionKeepBytes: 0, kept: 0 },
  { compactionKeepBytes: 22, kept: 3 },
  { compactionKeepBytes: 1_000_000, kept: 10 },
])("$compactionKeepBytes bytes keep $kept records before a snapshot", (setting) => {
  const { compactionKeepBytes, kept } = setting;
  const hand = new Hand(["a"], { compactionStep: 1_000_000, compactionKeepBytes });
  hand.elect("a");
  const { currentTerm: epoch } = hand.replica("a").raft;
  // Each takes seven bytes: its kind, and `slot 1` to `slot 9`; `slot 10` is one more.
  for (let position = 1; position <= 10; position++) hand.append("a", { position, epoch });
  hand.settle();
  hand.give("a", { type: "hostSnapshot", id: 901, position: 10 });
  hand.save("a");
  const { firstIndex, lastIndex } = hand.replica("a").raft.log;
  expect(Math.min(10, lastIndex + 1 - firstIndex)).toBe(kept);
});
