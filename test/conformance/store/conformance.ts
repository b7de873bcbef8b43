import type { Appended, Engine, Store, StoredRecord } from "@halon/coordinator/store";
import { storeOf } from "@halon/coordinator/store";
import { beforeEach, describe, expect, test } from "vitest";
import { collect, crashing, cutReply, deliveries, patterned } from "./faulty.ts";

/** One place to keep a store, fresh for each test. */
export interface Place {
  /** Opens an engine on it; the one opened before is closed or, when `beside` holds, still open. */
  readonly open: () => Promise<Engine>;
  /** Two engines may be open at once, as those of two nodes would be. */
  readonly beside: boolean;
}

/** What the tests below share: the place of the test that runs, and common steps. */
interface Bench {
  place: Place;
  readonly makePlace: () => Promise<Place>;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (record: StoredRecord): string => Buffer.from(record.data).toString("utf8");
const MiB = 1024 * 1024;

/** What every engine must do; run it from a test file of the engine. */
export function storeConformance(name: string, makePlace: () => Promise<Place>): void {
  describe(`store engine ${name}`, () => {
    const bench: Bench = { place: notMade, makePlace };
    beforeEach(async () => {
      bench.place = await makePlace();
    });
    describeOrder(bench);
    describeFencing(bench);
    describeFollowing(bench);
    describeSnapshots(bench);
    describeBigRecords(bench);
    describeLostReplies(bench);
  });
}

/** Stands in before the first test has its place. */
const notMade: Place = {
  open: () => Promise.reject(new Error("no test runs")),
  beside: false,
};

const open = async (bench: Bench): Promise<Store> => storeOf(await bench.place.open());

async function reopened(bench: Bench, store: Store): Promise<Store> {
  if (!bench.place.beside) await store.close();
  return open(bench);
}

async function fill(store: Store, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index++) {
    const appended = await store.append(bytes(`r${index}`), { index, epoch: store.epoch });
    expect(appended).toEqual({ type: "committed", index });
  }
}

const texts = async (store: Store, from: number): Promise<readonly string[]> =>
  (await collect(store.read(from))).map(text);

function describeOrder(bench: Bench): void {
  test("records come back in order with index and epoch, also after reopening", async () => {
    const first = await open(bench);
    await fill(first, 1, 3);
    await first.close();
    const second = await open(bench);
    await fill(second, 4, 4);
    const records = await collect(second.read(1));
    expect(records.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
    expect(records.map(({ epoch }) => epoch)).toEqual([1, 1, 1, 2].map((n) => first.epoch + n - 1));
    expect(records.map(text)).toEqual(["r1", "r2", "r3", "r4"]);
    await second.close();
  });

  test("every opening gives a higher epoch, also when nothing was appended", async () => {
    const epochs: number[] = [];
    for (let round = 0; round < 3; round++) {
      const store = await open(bench);
      epochs.push(store.epoch);
      await store.close();
    }
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
  });
}

function describeFencing(bench: Bench): void {
  test("an append under an older epoch is fenced and stores nothing", async () => {
    await (await open(bench)).close();
    const store = await open(bench);
    await fill(store, 1, 1);
    const late = await store.append(bytes("late"), { index: 2, epoch: store.epoch - 1 });
    expect(late).toEqual({ type: "fenced", epoch: store.epoch });
    expect(await texts(store, 1)).toEqual(["r1"]);
    await store.close();
  });

  test("opening beside fences the handle that is open, and its reader sees the new records", async () => {
    if (!bench.place.beside) return;
    const old = await open(bench);
    await fill(old, 1, 1);
    const young = await open(bench);
    const late = await old.append(bytes("late"), { index: 2, epoch: old.epoch });
    expect(late).toEqual({ type: "fenced", epoch: young.epoch });
    await fill(young, 2, 2);
    expect(await texts(old, 1)).toEqual(["r1", "r2"]);
    await old.close();
    await young.close();
  });

  test("an append at another index than the next one is a conflict that names the next", async () => {
    const store = await open(bench);
    await fill(store, 1, 2);
    for (const index of [1, 2, 4]) {
      const appended = await store.append(bytes("x"), { index, epoch: store.epoch });
      expect(appended).toEqual({ type: "conflict", next: 3 });
    }
    expect(await texts(store, 1)).toEqual(["r1", "r2"]);
    await store.close();
  });
}

function describeFollowing(bench: Bench): void {
  test("a follower gets old and new records once, in order, while appends go on", async () => {
    const store = await open(bench);
    await fill(store, 1, 20);
    const seen = deliveries();
    const end = store.follow(5, (record) => seen.deliver(text(record)));
    const late = deliveries();
    await fill(store, 21, 40);
    const endLate = store.follow(30, (record) => late.deliver(text(record)));
    await fill(store, 41, 100);
    await seen.count(96);
    await late.count(71);
    expect(seen.all).toEqual(Array.from({ length: 96 }, (_, at) => `r${at + 5}`));
    expect(late.all).toEqual(Array.from({ length: 71 }, (_, at) => `r${at + 30}`));
    end();
    endLate();
    await fill(store, 101, 101);
    expect(await texts(store, 101)).toEqual(["r101"]);
    expect(seen.all).toHaveLength(96);
    await store.close();
  });
}

function describeSnapshots(bench: Bench): void {
  test("a snapshot replaces the records up to its index; the tail stays", async () => {
    const first = await open(bench);
    await fill(first, 1, 10);
    const seen = deliveries();
    first.follow(1, (record) => seen.deliver(text(record)));
    expect(await first.loadSnapshot()).toBeUndefined();
    await first.saveSnapshot(4, [bytes("old")]);
    await first.saveSnapshot(7, [bytes("state "), bytes("at 7")]);
    await first.saveSnapshot(5, [bytes("older than the one before")]);
    // Compaction is not seen by those who follow.
    expect(seen.all.slice(0, 7)).toEqual(["r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
    await fill(first, 11, 12);
    for (const store of [first, await reopened(bench, first)]) {
      if (store === first && !bench.place.beside) continue;
      const snapshot = await store.loadSnapshot();
      expect(snapshot?.index).toBe(7);
      const chunks = await collect(snapshot?.chunks ?? []);
      expect(Buffer.concat(chunks).toString("utf8")).toBe("state at 7");
      expect(await texts(store, 8)).toEqual(["r8", "r9", "r10", "r11", "r12"]);
      await expect(collect(store.read(7))).rejects.toMatchObject({ code: "HAL_NOT_FOUND" });
      expect(() => store.follow(7, () => undefined)).toThrow(
        expect.objectContaining({ code: "HAL_NOT_FOUND" }),
      );
      if (store !== first) {
        await fill(store, 13, 13);
        await store.close();
      }
    }
  });

  test("a snapshot of everything leaves an empty tail that goes on at the next index", async () => {
    const first = await open(bench);
    await fill(first, 1, 3);
    await first.saveSnapshot(3, [bytes("all")]);
    const second = await reopened(bench, first);
    expect(await texts(second, 4)).toEqual([]);
    await fill(second, 4, 4);
    expect(await texts(second, 4)).toEqual(["r4"]);
    await second.close();
  });
}

function describeBigRecords(bench: Bench): void {
  test.each([0, 1, MiB - 1, MiB, MiB + 1, 3 * MiB])(
    "a record of %i bytes is one record",
    async (size) => {
      const first = await open(bench);
      await fill(first, 1, 1);
      const big = patterned(size);
      const appended = await first.append(big, { index: 2, epoch: first.epoch });
      expect(appended).toEqual({ type: "committed", index: 2 });
      await fill(first, 3, 3);
      const second = await reopened(bench, first);
      const records = await collect(second.read(1));
      expect(records.map(({ index }) => index)).toEqual([1, 2, 3]);
      expect(Buffer.compare(records[1]?.data ?? bytes("none"), big)).toBe(0);
      await second.close();
    },
  );

  test.each([1, 2, 3])("a writer that ends after %i parts has stored nothing", async (slots) => {
    const engine = await bench.place.open();
    const store = await storeOf(crashing(engine, slots + 1));
    await fill(store, 1, 1);
    const end = store.append(patterned(4 * MiB), { index: 2, epoch: store.epoch });
    await expect(end).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
    expect(await texts(store, 1)).toEqual(["r1"]);
    await store.close();
    const next = await open(bench);
    expect(await texts(next, 1)).toEqual(["r1"]);
    const big = patterned(2 * MiB + 5);
    const appended = await next.append(big, { index: 2, epoch: next.epoch });
    expect(appended).toEqual({ type: "committed", index: 2 });
    await next.saveSnapshot(1, [bytes("s")]);
    const last = await reopened(bench, next);
    const records = await collect(last.read(2));
    expect(records.map(({ index }) => index)).toEqual([2]);
    expect(Buffer.compare(records[0]?.data ?? bytes("none"), big)).toBe(0);
    await last.close();
  });
}

function describeLostReplies(bench: Bench): void {
  test.each(Array.from({ length: 6 }, (_, at) => at + 1))(
    "after the reply of append %i is cut, the store tells whether it was stored",
    async (cut) => {
      for (const moment of ["before", "after"] as const) {
        bench.place = await bench.makePlace();
        const store = cutReply(await open(bench), cut, moment);
        let cuts = 0;
        for (let index = 1; index <= 6; ) {
          let appended: Appended;
          try {
            appended = await store.append(bytes(`r${index}`), { index, epoch: store.epoch });
          } catch (error) {
            expect(error).toMatchObject({ code: "HAL_STORE_FAILED" });
            cuts += 1;
            const found = await texts(store, index);
            expect(found).toEqual(moment === "after" ? [`r${index}`] : []);
            index += found.length;
            continue;
          }
          expect(appended).toEqual({ type: "committed", index });
          index += 1;
        }
        expect(cuts).toBe(1);
        expect(await texts(store, 1)).toEqual(["r1", "r2", "r3", "r4", "r5", "r6"]);
        await store.close();
      }
    },
  );
}
