import { createHash } from "node:crypto";
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Journal, JournalOptions } from "./journal.ts";
import { openJournal } from "./open.ts";

let dir: string;
let time: number;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "halon-journal-"));
  time = 1_000_000;
});
afterEach(() => rm(dir, { recursive: true }));

const open = (options: Partial<JournalOptions> = {}): Promise<Journal> =>
  openJournal({ dir, maxBytes: 64_000, maxAgeMs: 3_600_000, now: () => time, ...options });

const record = (index: number): Buffer => Buffer.from(`record ${index} `.repeat(20));

function fill(journal: Journal, from: number, to: number): void {
  for (let index = from; index <= to; index++) journal.append(index, record(index), time + index);
}

const indexes = async (journal: Journal, from: number, to?: number, limit = 1_000) =>
  (await journal.read({ from, limit, ...(to === undefined ? {} : { to }) })).map((e) => e.index);

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

const newest = async (): Promise<string> => join(dir, (await readdir(dir)).sort().at(-1) ?? "");

test("entries come back with their wall time, before and after reopening", async () => {
  const first = await open();
  expect([first.firstIndex, first.lastIndex]).toEqual([0, 0]);
  fill(first, 1, 5);
  expect(await indexes(first, 1)).toEqual([1, 2, 3, 4, 5]);
  await first.close();
  const second = await open();
  expect([second.firstIndex, second.lastIndex, second.cutBytes]).toEqual([1, 5, 0]);
  fill(second, 6, 7);
  const [entry] = await second.read({ from: 7, limit: 1 });
  expect(entry?.wallTime).toBe(time + 7);
  expect(Buffer.from(entry?.data ?? []).equals(record(7))).toBe(true);
  await second.close();
});

test("each hash covers the one before it, the index, the wall time and the data", async () => {
  const journal = await open();
  fill(journal, 1, 3);
  let before = Buffer.alloc(32);
  for (const { index, hash, wallTime, data } of await journal.read({ from: 1, limit: 9 })) {
    const place = Buffer.alloc(16);
    place.writeBigUInt64LE(BigInt(index), 0);
    place.writeDoubleLE(wallTime, 8);
    before = createHash("sha256").update(before).update(place).update(data).digest();
    expect(hash).toBe(before.toString("hex"));
  }
  await journal.close();
});

test("a range is read across segments, up to its limit", async () => {
  const journal = await open();
  fill(journal, 1, 120);
  expect((await readdir(dir)).length).toBeGreaterThan(2);
  expect(await indexes(journal, 1)).toEqual(range(1, 120));
  expect(await indexes(journal, 30, 95)).toEqual(range(30, 95));
  expect(await indexes(journal, 30, 95, 50)).toEqual(range(30, 79));
  expect(await indexes(journal, 121)).toEqual([]);
  expect(await indexes(journal, 5, 4)).toEqual([]);
  expect(await journal.verify()).toMatchObject({ entries: 120 });
  await journal.close();
});

test("what is there already is passed over; a gap begins a new chain", async () => {
  const journal = await open();
  fill(journal, 1, 5);
  fill(journal, 3, 6);
  fill(journal, 10, 12);
  expect(await indexes(journal, 1)).toEqual([1, 2, 3, 4, 5, 6, 10, 11, 12]);
  expect(await indexes(journal, 8)).toEqual([10, 11, 12]);
  expect(await journal.verify()).toEqual({ segments: 2, entries: 9 });
  await journal.close();
  expect((await open()).lastIndex).toBe(12);
});

test("the oldest segments go when all together are too large", async () => {
  const journal = await open({ maxBytes: 20_000 });
  fill(journal, 1, 400);
  await journal.flush();
  let bytes = 0;
  for (const name of await readdir(dir)) bytes += (await readFile(join(dir, name))).length;
  expect(bytes).toBeLessThan(25_000);
  expect(journal.firstIndex).toBeGreaterThan(300);
  expect(await indexes(journal, 1)).toEqual(range(journal.firstIndex, 400));
  await journal.verify();
  await journal.close();
});

test("segments go when all of their entries are too old", async () => {
  const journal = await open({ maxAgeMs: 8_000 });
  for (let index = 1; index <= 30; index++) {
    time += 1_000;
    journal.append(index, record(index), time);
  }
  expect(journal.firstIndex).toBeGreaterThan(18);
  expect(await indexes(journal, 1)).toEqual(range(journal.firstIndex, 30));
  await journal.close();
});

test.each([1, 20, 60, 200])("a tail torn by %i bytes is cut and filled up again", async (torn) => {
  const first = await open();
  fill(first, 1, 5);
  await first.close();
  const path = await newest();
  await truncate(path, (await readFile(path)).length - torn);
  const second = await open();
  expect(second.lastIndex).toBe(4);
  expect(second.cutBytes).toBeGreaterThan(0);
  fill(second, 1, 8);
  expect(await indexes(second, 1)).toEqual(range(1, 8));
  await second.verify();
  await second.close();
});

test("a tail of zeros is cut", async () => {
  const first = await open();
  fill(first, 1, 5);
  await first.close();
  await appendFile(await newest(), Buffer.alloc(2_000));
  const second = await open();
  expect([second.lastIndex, second.cutBytes]).toEqual([5, 2_000]);
  await second.close();
});

test("a newest segment without a whole header is begun again", async () => {
  const first = await open();
  fill(first, 1, 2);
  await first.close();
  await writeFile(join(dir, "00000000000000000003.journal"), "HALON");
  const second = await open();
  fill(second, 3, 4);
  expect(await indexes(second, 1)).toEqual([1, 2, 3, 4]);
  await second.close();
});

test("a changed byte in the newest segment refuses to open, naming it and what to do", async () => {
  const first = await open();
  fill(first, 1, 5);
  await first.close();
  const path = await newest();
  const bytes = await readFile(path);
  bytes[400] = (bytes[400] ?? 0) ^ 1;
  await writeFile(path, bytes);
  await expect(open()).rejects.toMatchObject({
    code: "HAL_STORE_DAMAGED",
    message: expect.stringMatching(new RegExp(`${path} is broken at offset .* Move this segment`)),
  });
});

test("a changed byte in an older segment is found by verify and by reading it", async () => {
  const first = await open();
  fill(first, 1, 120);
  await first.close();
  const path = join(dir, (await readdir(dir)).sort()[0] ?? "");
  const bytes = await readFile(path);
  bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
  await writeFile(path, bytes);
  const second = await open();
  await expect(second.verify()).rejects.toMatchObject({ details: { file: path } });
  await expect(indexes(second, 1)).rejects.toMatchObject({ code: "HAL_STORE_DAMAGED" });
  expect(await indexes(second, 118)).toEqual([118, 119, 120]);
  await second.close();
});

test("a missing segment in the middle is a broken chain", async () => {
  const first = await open();
  fill(first, 1, 120);
  await first.close();
  await rm(join(dir, (await readdir(dir)).sort()[1] ?? ""));
  await expect((await open()).verify()).rejects.toMatchObject({ code: "HAL_STORE_DAMAGED" });
});
