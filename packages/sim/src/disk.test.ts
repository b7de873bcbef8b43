import type { Configuration, Entry } from "@halon/raft";
import { expect, test } from "vitest";
import {
  applyWrite,
  type Disk,
  type DiskWrite,
  emptyDisk,
  holdsDurably,
  lastDurableIndex,
  losePower,
} from "./disk.ts";
import { Prng } from "./prng.ts";
import { emptySnapshot } from "./process.ts";

const nobody: Configuration = { members: [], voters: [], outgoing: [], learners: [] };

function entry(index: number, term: number): Entry {
  return { index, term, data: new Uint8Array([1]) };
}

function persist(
  entries: readonly Entry[],
  { term = null, from = null }: { term?: number | null; from?: number | null } = {},
): DiskWrite {
  const hardState = term === null ? null : { term, votedFor: null };
  return { type: "persist", ticket: 0, hardState, truncateFrom: from, entries, whenDurable: [] };
}

function diskWith(...writes: readonly DiskWrite[]): Disk {
  const disk = emptyDisk(emptySnapshot(nobody));
  for (const write of writes) applyWrite(disk, write);
  return disk;
}

const terms = ({ entries }: Disk): readonly number[] => entries.map(({ term }) => term);

test("a write drops what it truncates before it appends", () => {
  const disk = diskWith(persist([entry(1, 1), entry(2, 1), entry(3, 1)]), {
    ...persist([entry(2, 2)], { from: 2 }),
  });
  expect(terms(disk)).toEqual([1, 2]);
});

test("a hole in the log is refused", () => {
  expect(() => diskWith(persist([entry(2, 1)]))).toThrow("1 is next");
});

test("a loss of power takes all that was not synced", () => {
  const disk = diskWith(persist([entry(1, 1)], { term: 1 }));
  disk.pending = [persist([entry(2, 5)], { term: 5 })];
  expect(losePower(disk, "lost", new Prng(1, "disk"))).toEqual({ lost: 1, isTorn: false });
  expect([disk.hardState.term, lastDurableIndex(disk)]).toEqual([1, 1]);
});

test("what is left of unsynced writes is a prefix of them, record by record", () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const disk = diskWith();
    disk.pending = [
      persist([entry(1, 1)], { term: 1 }),
      persist([entry(2, 2), entry(3, 2)], { term: 2 }),
    ];
    losePower(disk, "torn", new Prng(seed, "disk"));
    seen.add(`${disk.hardState.term}:${terms(disk).join("")}`);
  }
  expect([...seen].sort()).toEqual(["0:", "1:", "1:1", "2:1", "2:12", "2:122"]);
});

test("an installed snapshot stands for the entries before it, and keeps those after it when they agree", () => {
  const log = persist([entry(1, 1), entry(2, 1), entry(3, 1)]);
  const meta = { index: 2, term: 1, configuration: nobody };
  const install = (keepLog: boolean): Disk =>
    diskWith(log, {
      type: "install",
      snapshot: { meta, bytes: new Uint8Array(0) },
      keepLog,
      whenDurable: [],
    });
  expect([terms(install(true)), install(true).firstIndex]).toEqual([[1], 3]);
  expect([terms(install(false)), install(false).firstIndex]).toEqual([[], 3]);
  expect(holdsDurably(install(false), 2, 1)).toBe(true);
  expect(holdsDurably(install(false), 3, 1)).toBe(false);
});

test("entries go only when a snapshot has them", () => {
  const disk = diskWith(persist([entry(1, 1), entry(2, 1)]));
  expect(() => applyWrite(disk, { type: "compact", firstIndex: 2 })).toThrow("no snapshot");
});
