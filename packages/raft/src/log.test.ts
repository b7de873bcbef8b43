import fc from "fast-check";
import { expect, test } from "vitest";
import type { Entry } from "./entry.ts";
import {
  append,
  batchOf,
  compact,
  emptyLog,
  entriesOf,
  lastIndexOfTerm,
  logFound,
  termAt,
  truncate,
} from "./log.ts";
import type { RaftLog } from "./state.ts";
import { configurationOf } from "./testing.ts";

const snapshotAt = (index: number, term: number) => ({
  index,
  term,
  configuration: configurationOf(["a"]),
});

const entry = (index: number, term: number, bytes = 1): Entry => ({
  index,
  term,
  data: new Uint8Array(bytes).fill(1),
});

function logOf(terms: readonly number[]): RaftLog {
  let log = emptyLog(snapshotAt(0, 0));
  for (const term of terms) log = append(log, entry(log.lastIndex + 1, term));
  return log;
}

const held = (log: RaftLog) => entriesOf(log, log.firstIndex, log.lastIndex);

type Change =
  | { readonly type: "append"; readonly more: number }
  | { readonly type: "truncate" | "compact" | "back"; readonly part: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("append"), more: fc.nat(1) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom("truncate", "compact", "back"),
      part: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
  },
);

/** One change, made to the log and to a plain list of terms from index 1 on. */
function make(log: RaftLog, terms: readonly number[], each: Change): [RaftLog, readonly number[]] {
  if (each.type === "append") {
    const term = (terms.at(-1) ?? 0) + each.more;
    return [append(log, entry(terms.length + 1, term)), [...terms, term]];
  }
  const { snapshot } = log;
  const index = snapshot.index + Math.floor(each.part * (log.lastIndex - snapshot.index + 1));
  if (each.type === "truncate") return [truncate(log, index + 1), terms.slice(0, index)];
  const first = Math.ceil(index / 2);
  return [compact(log, snapshotAt(index, terms[index - 1] ?? 0), first), terms];
}

test("a log is a value: it is what a plain list says, and stays so whatever is made of it", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const past: (readonly [RaftLog, readonly number[]])[] = [[emptyLog(snapshotAt(0, 0)), []]];
      for (const each of changes) {
        // "back" goes on from an older log, so that two grow from one.
        const at = each.type === "back" ? Math.floor(each.part * past.length) : past.length - 1;
        const [log, terms] = past[at] ?? past[0] ?? [emptyLog(snapshotAt(0, 0)), []];
        past.push(each.type === "back" ? [log, terms] : make(log, terms, each));
      }
      for (const [log, terms] of past) {
        expect(log.lastIndex).toBe(terms.length);
        expect(held(log).map(({ index, term }) => [index, term])).toEqual(
          terms.map((term, place) => [place + 1, term]).slice(log.firstIndex - 1),
        );
        expect(log.lastTerm).toBe(terms.at(-1) ?? 0);
      }
    }),
  );
});

test("the last index of a term or a lower one, by brute force (§5.3)", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(2), { maxLength: 20 }),
      fc.nat(25),
      fc.nat(9),
      (steps, index, term) => {
        let last = 1;
        const terms = steps.map((more) => {
          last += more;
          return last;
        });
        let expected = Math.min(index, terms.length);
        while (expected > 0 && (terms[expected - 1] ?? 0) > term) expected -= 1;
        expect(lastIndexOfTerm(logOf(terms), index, term)).toBe(expected);
      },
    ),
  );
});

test("a term is known of what is held, of the snapshot and of the beginning, and of nothing else", () => {
  const log = compact(logOf([1, 1, 2, 2, 3]), snapshotAt(4, 2), 3);
  expect([0, 1, 2, 3, 4, 5, 6].map((index) => termAt(log, index))).toEqual([
    null,
    null,
    null,
    2,
    2,
    3,
    null,
  ]);
  expect(termAt(logOf([1]), 0)).toBe(0);
});

test("a batch has at least one entry, then as many as fit", () => {
  let log = emptyLog(snapshotAt(0, 0));
  for (const bytes of [900, 10, 10, 900]) log = append(log, entry(log.lastIndex + 1, 1, bytes));
  expect(batchOf(log, 1, 200).map(({ index }) => index)).toEqual([1]);
  expect(batchOf(log, 2, 200).map(({ index }) => index)).toEqual([2, 3]);
  expect(batchOf(log, 5, 200)).toEqual([]);
});

test("entries that agree with the snapshot of a disk are kept, before and after it", () => {
  const found = logFound(snapshotAt(3, 2), [entry(2, 1), entry(3, 2), entry(4, 2)]);
  expect([found.firstIndex, found.lastIndex, found.durableIndex]).toEqual([2, 4, 4]);
});

test.each([
  { name: "end before the snapshot", entries: [entry(1, 1), entry(2, 1)] },
  { name: "have another term at its index", entries: [entry(2, 1), entry(3, 1), entry(4, 1)] },
])("entries of a disk that $name count for nothing", ({ entries }) => {
  const found = logFound(snapshotAt(3, 2), entries);
  expect([found.firstIndex, found.lastIndex, found.lastTerm]).toEqual([4, 3, 2]);
});

test.each([
  { name: "a gap after the snapshot", entries: [entry(5, 2)] },
  { name: "a gap among the entries", entries: [entry(3, 2), entry(5, 2)] },
])("a disk with $name starts nobody", ({ entries }) => {
  expect(() => logFound(snapshotAt(3, 2), entries)).toThrow("raft: entr");
});

test("nothing is appended out of place or with a term that falls", () => {
  expect(() => append(logOf([2]), entry(3, 2))).toThrow("entry 3 after 1");
  expect(() => append(logOf([2]), entry(2, 1))).toThrow("term 1 after term 2");
});
