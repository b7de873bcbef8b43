import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemoryFs } from "../testdata/memory-fs.ts";
import type { Entry } from "./log.ts";
import { openLog } from "./open-log.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "halon-log-"));
});
afterEach(() => rm(dir, { recursive: true }));

const entry = (index: number, term = 1, size = 10): Entry => ({
  index,
  term,
  data: Buffer.alloc(size, index),
});

test("a new log is empty, and remembers entries and hard state on a real disk", async () => {
  const first = await openLog({ dir });
  expect([first.firstIndex, first.lastIndex, first.lastTerm]).toEqual([1, 0, 0]);
  expect(first.hardState).toEqual({ term: 0, votedFor: null });
  await first.append([entry(1), entry(2, 3)]);
  await first.saveHardState({ term: 3, votedFor: "node-2" });
  await first.close();
  const second = await openLog({ dir });
  expect([second.firstIndex, second.lastIndex, second.lastTerm]).toEqual([1, 2, 3]);
  expect(second.hardState).toEqual({ term: 3, votedFor: "node-2" });
  expect(second.read(1)).toEqual([entry(1), entry(2, 3)]);
  await second.close();
});

test("large groups and large entries go through the thread pool and come back", async () => {
  const first = await openLog({ dir });
  await first.append([entry(1, 1, 3_000_000), entry(2, 1, 2_000_000)]);
  await Promise.all(Array.from({ length: 5_000 }, (_, at) => first.append([entry(at + 3)])));
  await first.close();
  const second = await openLog({ dir });
  expect(second.lastIndex).toBe(5_002);
  const [large] = second.read(1, { entries: 1 });
  expect(Buffer.compare(large?.data ?? Buffer.alloc(0), entry(1, 1, 3_000_000).data)).toBe(0);
  await second.close();
});

test("appends that wait together share one fsync", async () => {
  const points: string[] = [];
  const log = await openLog({ dir, failpoint: (name) => points.push(name) });
  await Promise.all([1, 2, 3, 4].map((index) => log.append([entry(index)])));
  expect(points).toEqual(["store.after-write", "store.after-fsync"]);
  expect(log.durableIndex).toBe(4);
  await log.close();
});

test("read stops at either limit, but gives at least one entry", async () => {
  const log = await openLog({ dir });
  await log.append([1, 2, 3, 4].map((index) => entry(index)));
  const indexes = (...limit: Parameters<typeof log.read>): readonly number[] =>
    log.read(...limit).map(({ index }) => index);
  expect(indexes(2)).toEqual([2, 3, 4]);
  expect(indexes(2, { entries: 2 })).toEqual([2, 3]);
  expect(indexes(1, { bytes: 25 })).toEqual([1, 2]);
  expect(indexes(1, { bytes: 1 })).toEqual([1]);
  expect(indexes(5)).toEqual([]);
  await log.close();
});

test("a truncation replaces entries, across segments, and the new ones stay (Raft §5.3)", async () => {
  const first = await openLog({ dir, segmentBytes: 100 });
  for (let index = 1; index <= 9; index++) await first.append([entry(index)]);
  const truncated = first.truncateFrom(4);
  const appended = first.append([entry(4, 2), entry(5, 2)]);
  expect([first.lastIndex, first.lastTerm]).toEqual([5, 2]);
  await truncated;
  await appended;
  await first.close();
  const second = await openLog({ dir, segmentBytes: 100 });
  expect(second.read(1)).toEqual([entry(1), entry(2), entry(3), entry(4, 2), entry(5, 2)]);
  await second.close();
});

test("entries that do not follow are refused, and nothing is taken", async () => {
  const log = await openLog({ dir });
  await log.append([entry(1, 2)]);
  await expect(log.append([entry(3, 2)])).rejects.toThrow("expected entry 2, got 3");
  await expect(log.append([entry(2, 1)])).rejects.toThrow("expected a term from 2 on, got 1");
  const large = log.append([entry(2, 2, 16 * 1024 * 1024 + 1)]);
  await expect(large).rejects.toMatchObject({ code: "HAL_TOO_LARGE" });
  expect(log.lastIndex).toBe(1);
  await log.close();
});

test("compaction drops whole segments that a snapshot covers, and no others", async () => {
  const log = await openLog({ dir, segmentBytes: 100 });
  for (let index = 1; index <= 9; index++) await log.append([entry(index)]);
  await expect(log.compactTo(5)).rejects.toThrow("the snapshot covers entries up to 0");
  await log.saveSnapshot({ index: 5, term: 1 }, [Buffer.from("a"), Buffer.from("b")]);
  await log.compactTo(5);
  expect(log.firstIndex).toBeGreaterThan(2);
  expect(log.firstIndex).toBeLessThanOrEqual(6);
  expect(log.read(6).map(({ index }) => index)).toEqual([6, 7, 8, 9]);
  expect(() => log.read(1)).toThrow("expected an index from");
  expect((await readdir(dir)).filter((name) => name.endsWith(".log")).sort()[0]).toBe(
    `${String(log.firstIndex).padStart(20, "0")}.log`,
  );
  await log.close();
});

test("a snapshot beyond the log replaces it (Raft §7)", async () => {
  const first = await openLog({ dir });
  await first.append([entry(1)]);
  await first.saveSnapshot({ index: 40, term: 4 }, [Buffer.from("state")]);
  await first.compactTo(40);
  expect([first.firstIndex, first.lastIndex, first.lastTerm]).toEqual([41, 40, 4]);
  await first.append([entry(41, 4)]);
  await first.close();
  const second = await openLog({ dir });
  expect([second.firstIndex, second.lastIndex]).toEqual([41, 41]);
  expect(second.loadSnapshot()).toMatchObject({ index: 40, term: 4 });
  await second.close();
});

test("a source of chunks that throws leaves the log well and the old snapshot in place", async () => {
  const log = await openLog({ dir });
  await log.append([entry(1), entry(2)]);
  await log.saveSnapshot({ index: 1, term: 1 }, [Buffer.from("one")]);
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("half");
    throw new Error("no more");
  };
  await expect(log.saveSnapshot({ index: 2, term: 1 }, broken())).rejects.toThrow("no more");
  expect(log.snapshot).toEqual({ index: 1, term: 1 });
  await log.append([entry(3)]);
  await log.saveSnapshot({ index: 2, term: 1 }, [Buffer.from("two")]);
  await log.close();
});

test("after a refused fsync all that waits fails, and the disk is left alone", async () => {
  const fs = new MemoryFs();
  const log = await openLog({ dir: "/log", fs });
  await log.append([entry(1)]);
  // The write is the next call, the fsync the one after it.
  fs.fault = { type: "refuse", atCall: fs.calls + 2 };
  const appends = [
    log.append([entry(2)]),
    log.append([entry(3)]),
    log.saveHardState(log.hardState),
  ];
  const later = Promise.allSettled(appends);
  for (const { status } of await later) expect(status).toBe("rejected");
  const calls = fs.calls;
  await expect(log.append([entry(4)])).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  await expect(log.truncateFrom(2)).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  await log.close();
  expect([fs.calls, fs.syncsAfterFault, log.durableIndex]).toEqual([calls, 0, 1]);
});

const firstSegment = "/log/00000000000000000001.log";

test("zeros are written ahead up to the next mebibyte, or where the next segment begins", async () => {
  const fs = new MemoryFs();
  const log = await openLog({ dir: "/log", fs, segmentBytes: 2_500_000 });
  const sizes: number[] = [];
  for (const [at, size] of [10, 10, 1_200_000, 1_000_000, 700_000].entries()) {
    await log.append([entry(at + 1, 1, size)]);
    sizes.push(fs.content(firstSegment).length);
  }
  const end = 24 + 5 * 33 + 2_900_020;
  expect(sizes).toEqual([2 ** 20, 2 ** 20, 2 ** 21, 2_500_000, end]);
  await log.append([entry(6)]);
  expect(fs.content(firstSegment)).toHaveLength(end);
  await log.close();
});

test("a segment that others follow has no zeros behind it, also when segments became smaller", async () => {
  const fs = new MemoryFs();
  const first = await openLog({ dir: "/log", fs });
  await first.append([entry(1)]);
  await first.close();
  const second = await openLog({ dir: "/log", fs, segmentBytes: 50 });
  await second.append([entry(2)]);
  expect(fs.content(firstSegment)).toHaveLength(24 + 43);
  await second.close();
  expect((await openLog({ dir: "/log", fs })).read(1)).toEqual([entry(1), entry(2)]);
});

test("a truncation drops the zeros, and what comes next has its own", async () => {
  const fs = new MemoryFs();
  const log = await openLog({ dir: "/log", fs });
  await log.append([entry(1), entry(2), entry(3)]);
  await log.truncateFrom(2);
  expect(fs.content(firstSegment)).toHaveLength(24 + 43);
  await log.append([entry(2, 2)]);
  expect(fs.content(firstSegment)).toHaveLength(2 ** 20);
  await log.close();
  expect((await openLog({ dir: "/log", fs })).read(1)).toEqual([entry(1), entry(2, 2)]);
});

test("a disk without room for zeros takes entries until one of them does not fit", async () => {
  const fs = new MemoryFs();
  const log = await openLog({ dir: "/log", fs, segmentBytes: 200 });
  // The entry is the next call; half of the zeros after it still fit.
  fs.fault = { type: "full", atCall: fs.calls + 2 };
  await log.append([entry(1)]);
  await log.append([entry(2)]);
  await expect(log.append([entry(3)])).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  await log.close();
  expect(fs.syncsAfterFault).toBe(0);
  fs.fault = undefined;
  const reopened = await openLog({ dir: "/log", fs });
  expect(reopened.read(1).slice(0, 2)).toEqual([entry(1), entry(2)]);
  await reopened.append([entry(reopened.lastIndex + 1)]);
  await reopened.close();
});
