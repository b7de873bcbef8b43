import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openMemoryStore } from "../store/memory.ts";
import type { Store } from "../store/port.ts";
import { JournalFeed, type JournalGap } from "./feed.ts";
import type { Journal } from "./journal.ts";
import { openJournal } from "./open.ts";
import { readJournal } from "./serve.ts";

/** Waits until it holds, on however busy a machine. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000 });

let dir: string;
let journal: Journal;
let store: Store;
let gaps: JournalGap[];
let failed: unknown[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "halon-feed-"));
  journal = await openJournal({ dir, maxBytes: 2 ** 26, maxAgeMs: 2 ** 40, now: () => 0 });
  store = await openMemoryStore();
  await store.lead();
  gaps = [];
  failed = [];
});
afterEach(async () => {
  await journal.close();
  await rm(dir, { recursive: true });
});

const bytes = (index: number): Buffer => Buffer.from(`record ${index}`);

async function commit(from: number, to: number, feed?: JournalFeed): Promise<void> {
  for (let index = from; index <= to; index++) {
    await store.append(bytes(index), { index, epoch: store.epoch });
    feed?.take(index, bytes(index), index);
  }
}

const openFeed = (): JournalFeed =>
  new JournalFeed(
    { journal, store, wallTimeOf: () => 0 },
    { gap: (gap) => void gaps.push(gap), failed: (error) => void failed.push(error) },
  );

const kept = async (): Promise<readonly string[]> =>
  (await journal.read({ from: 1, limit: 1_000 })).map(({ data }) => Buffer.from(data).toString());

const records = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => ({
    index: from + at,
    data: bytes(from + at),
  }));

const expected = (...ranges: readonly (readonly [number, number])[]): readonly string[] =>
  ranges.flatMap(([from, to]) => records(from, to).map(({ data }) => data.toString()));

test("what the journal lacks is read from the store, and records go on in order meanwhile", async () => {
  await commit(1, 200);
  const feed = openFeed();
  feed.reach(200);
  await commit(201, 300, feed);
  await eventually(() => expect(journal.lastIndex).toBe(300));
  expect(await kept()).toEqual(expected([1, 300]));
  expect([gaps, failed]).toEqual([[], []]);
});

test("a gap is told, filled in parts, and what came meanwhile follows it", async () => {
  await commit(1, 3);
  const feed = openFeed();
  feed.reach(3);
  await eventually(() => expect(journal.lastIndex).toBe(3));
  await commit(4, 10);
  await store.saveSnapshot(8, [bytes(0)]);
  feed.reach(10);
  await eventually(() => expect(gaps).toEqual([{ from: 4, to: 8 }]));
  await commit(11, 15, feed);
  feed.fill(records(4, 6));
  expect(journal.lastIndex).toBe(6);
  feed.fill(records(7, 9));
  await eventually(() => expect(journal.lastIndex).toBe(15));
  await commit(16, 16, feed);
  expect(await kept()).toEqual(expected([1, 16]));
  expect((await journal.verify()).segments).toBe(1);
});

test("a gap that nobody can fill stays: the journal goes on behind it", async () => {
  await commit(1, 10);
  await store.saveSnapshot(8, [bytes(0)]);
  const feed = openFeed();
  feed.reach(10);
  await eventually(() => expect(gaps).toEqual([{ from: 1, to: 8 }]));
  feed.fill(records(5, 6));
  feed.gapStays();
  await eventually(() => expect(journal.lastIndex).toBe(10));
  expect(await kept()).toEqual(expected([5, 6], [9, 10]));
  await journal.verify();
});

test("where the store drops more while a gap is open, the rest is a gap of its own", async () => {
  await commit(1, 10);
  await store.saveSnapshot(4, [bytes(0)]);
  const feed = openFeed();
  feed.reach(10);
  await eventually(() => expect(gaps).toHaveLength(1));
  await store.saveSnapshot(8, [bytes(0)]);
  feed.fill(records(1, 4));
  await eventually(() =>
    expect(gaps).toEqual([
      { from: 1, to: 4 },
      { from: 5, to: 8 },
    ]),
  );
  feed.fill(records(5, 8));
  await eventually(() => expect(journal.lastIndex).toBe(10));
  expect(await kept()).toEqual(expected([1, 10]));
});

test("what the journal gives to others is at most 1 MiB a time, or one record", async () => {
  const half = Buffer.alloc(600 * 1024, 1);
  for (let index = 1; index <= 3; index++) journal.append(index, half, 0);
  journal.append(4, Buffer.alloc(3 * 1024 * 1024), 0);
  journal.append(5, bytes(5), 0);
  const answers: number[][] = [];
  for (let from = 1; from <= 5; ) {
    const some = (await readJournal(journal, { from, to: 5 })).map(({ index }) => index);
    answers.push(some);
    from = (some.at(-1) ?? 5) + 1;
  }
  expect(answers).toEqual([[1], [2], [3], [4], [5]]);
  expect(await readJournal(journal, { from: 6, to: 9 })).toEqual([]);
});
