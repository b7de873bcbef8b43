import type { Appended, Store } from "@halon/coordinator/store";
import { storeOf } from "@halon/coordinator/store";
import { beforeEach, describe, expect, test } from "vitest";
import { collect, crashing, cutReply, deliveries, patterned } from "./faulty.ts";
import {
  type Bench,
  bytes,
  fill,
  followed,
  follower,
  MiB,
  names,
  owned,
  type Place,
  reopened,
  successor,
  text,
  texts,
} from "./handles.ts";
import { describeSnapshots, describeSnapshotsBeside } from "./snapshots.ts";

export type { Place } from "./handles.ts";

/** What every engine must do; run it from a test file of the engine. */
export function storeConformance(name: string, makePlace: () => Promise<Place>): void {
  describe(`store engine ${name}`, () => {
    const bench: Bench = { place: notMade, makePlace };
    beforeEach(async () => {
      bench.place = await makePlace();
    });
    describeOrder(bench);
    describeLeading(bench);
    describeConfirming(bench);
    describeFencing(bench);
    describeFollowing(bench);
    describeSnapshots(bench);
    describeSnapshotsBeside(bench);
    describeBigRecords(bench);
    describeLostReplies(bench);
  });
}

/** Stands in before the first test has its place. */
const notMade: Place = {
  open: () => Promise.reject(new Error("no test runs")),
  beside: false,
};

function describeOrder(bench: Bench): void {
  test("records come back in order with index and epoch, also after reopening", async () => {
    const first = await owned(bench);
    const { epoch } = first;
    await fill(first, 1, 3);
    const second = await reopened(bench, first);
    await fill(second, 4, 4);
    const records = await collect(second.read(1));
    expect(records.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
    expect(records.map((record) => record.epoch)).toEqual([epoch, epoch, epoch, second.epoch]);
    expect(records.map(text)).toEqual(["r1", "r2", "r3", "r4"]);
    await second.close();
  });

  test("an append at another index than the next one is a conflict that names the next", async () => {
    const store = await owned(bench);
    await fill(store, 1, 2);
    for (const index of [1, 2, 4]) {
      const appended = await store.append(bytes("x"), { index, epoch: store.epoch });
      expect(appended).toEqual({ type: "conflict", next: 3 });
    }
    expect(await texts(store, 1)).toEqual(["r1", "r2"]);
    await store.close();
  });
}

function describeLeading(bench: Bench): void {
  test("each owner has a higher epoch, also when nothing was appended", async () => {
    const epochs: number[] = [];
    for (let round = 0; round < 3; round++) {
      const store = await owned(bench);
      epochs.push(store.epoch);
      await store.close();
    }
    expect(epochs[0]).toBeGreaterThan(0);
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
  });

  test("to lead tells epoch and last record, and all records can be read by then", async () => {
    const first = await owned(bench);
    await fill(first, 1, 20);
    await first.close();
    const second = await storeOf(await bench.place.open());
    const led = await second.lead();
    expect(await texts(second, 1)).toEqual(names(1, 20));
    expect(led).toEqual({ epoch: second.epoch, index: 20 });
    await second.close();
  });

  test("a handle that does not lead has no epoch, reads, and appends nothing", async () => {
    const first = await owned(bench);
    await fill(first, 1, 2);
    await first.close();
    const second = await storeOf(await bench.place.open());
    expect(second.epoch).toBe(0);
    expect(await followed(second, 1, 2)).toEqual(["r1", "r2"]);
    for (const epoch of [0, 1]) {
      const appended = await second.append(bytes("x"), { index: 3, epoch });
      expect(appended.type).toBe("fenced");
    }
    await second.lead();
    expect(await texts(second, 1)).toEqual(["r1", "r2"]);
    await second.close();
  });

  test("an append under an older epoch is fenced and stores nothing", async () => {
    await (await owned(bench)).close();
    const store = await owned(bench);
    await fill(store, 1, 1);
    const late = await store.append(bytes("late"), { index: 2, epoch: store.epoch - 1 });
    expect(late).toEqual({ type: "fenced", epoch: store.epoch });
    expect(await texts(store, 1)).toEqual(["r1"]);
    await store.close();
  });
}

function describeConfirming(bench: Bench): void {
  test("the owner is confirmed, also while an append is under way; who does not lead is not", async () => {
    const store = await storeOf(await bench.place.open());
    expect(await store.confirm()).toBe(false);
    await store.lead();
    expect(await store.confirm()).toBe(true);
    const appended = store.append(bytes("r1"), { index: 1, epoch: store.epoch });
    expect(await store.confirm()).toBe(true);
    await appended;
    await store.close();
    expect(await store.confirm()).toBe(false);
  });

  test("an owner is confirmed no more once another leads, whether it knows of that or not", async () => {
    if (!bench.place.beside) return;
    const old = await owned(bench);
    const watching = await follower(bench);
    expect(await old.confirm()).toBe(true);
    expect(await watching.confirm()).toBe(false);
    const young = await successor(bench);
    await young.lead();
    const asked = [old.confirm(), young.confirm()];
    expect(await Promise.all(asked)).toEqual([false, true]);
    for (const store of [old, watching, young]) await store.close();
  });
}

function describeFencing(bench: Bench): void {
  test("the next owner has all that was committed; the one before is told once, and fenced", async () => {
    if (!bench.place.beside) return;
    const old = await owned(bench);
    await fill(old, 1, 5);
    const reasons: string[] = [];
    const lost = new Promise<void>((resolve) => {
      old.onLost((reason) => {
        reasons.push(reason);
        resolve();
      });
    });
    const young = await successor(bench);
    expect(await young.lead()).toEqual({ epoch: young.epoch, index: 5 });
    expect(await texts(young, 1)).toEqual(names(1, 5));
    expect(young.epoch).toBeGreaterThan(old.epoch);
    await lost;
    const late = await old.append(bytes("late"), { index: 6, epoch: old.epoch });
    expect(late.type).toBe("fenced");
    await fill(young, 6, 7);
    expect(await followed(old, 1, 7)).toEqual(names(1, 7));
    // Who asks late is told too.
    await new Promise<void>((resolve) => old.onLost(() => resolve()));
    await old.close();
    await young.close();
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).not.toBe("");
  });

  test("all handles come to name the same owner", async () => {
    if (!bench.place.beside) return;
    const old = await owned(bench);
    const watching = await follower(bench);
    await until(watching, () => watching.owner === old.owner);
    const before = old.owner;
    const young = await successor(bench);
    await young.lead();
    await until(young, () => young.owner !== null && young.owner !== before);
    for (const store of [old, watching]) await until(store, () => store.owner === young.owner);
    for (const store of [old, watching, young]) await store.close();
  });

  test("of two that append at the same time, the records of each stay whole and in order", async () => {
    if (!bench.place.beside) return;
    const old = await owned(bench);
    await fill(old, 1, 3);
    const racing = appendUntilRefused(old, 4);
    const young = await successor(bench);
    const { index } = await young.lead();
    await fill(young, index + 1, index + 3);
    expect(await racing).toBeLessThanOrEqual(index);
    expect(await texts(young, 1)).toEqual(names(1, index + 3));
    await old.close();
    await young.close();
  });
}

/** Appends one record after the other until that does not end as committed; resolves with the last index that did. */
async function appendUntilRefused(store: Store, from: number): Promise<number> {
  for (let index = from; ; index++) {
    try {
      const appended = await store.append(bytes(`r${index}`), { index, epoch: store.epoch });
      if (appended.type !== "committed") return index - 1;
    } catch (error) {
      expect(error).toMatchObject({ code: "HAL_STORE_FAILED" });
      return index - 1;
    }
  }
}

async function until(store: Store, holds: () => boolean): Promise<void> {
  let end: () => void = () => undefined;
  await new Promise<void>((resolve) => {
    end = store.onOwner(() => {
      if (holds()) resolve();
    });
    if (holds()) resolve();
  });
  end();
}

function describeFollowing(bench: Bench): void {
  test("a follower gets old and new records once, in order, while appends go on", async () => {
    const store = await owned(bench);
    await fill(store, 1, 20);
    const seen = deliveries();
    const end = store.follow(5, (record) => seen.deliver(text(record)));
    const late = deliveries();
    await fill(store, 21, 40);
    const endLate = store.follow(30, (record) => late.deliver(text(record)));
    await fill(store, 41, 100);
    await seen.count(96);
    await late.count(71);
    expect(seen.all).toEqual(names(5, 100));
    expect(late.all).toEqual(names(30, 100));
    end();
    endLate();
    await fill(store, 101, 101);
    expect(await texts(store, 101)).toEqual(["r101"]);
    expect(seen.all).toHaveLength(96);
    await store.close();
  });

  test("a handle that owns nothing sees what the owner appends, in order, and leaves it alone", async () => {
    if (!bench.place.beside) return;
    const owner = await owned(bench);
    await fill(owner, 1, 10);
    const other = await follower(bench);
    const seen = deliveries();
    other.follow(1, (record) => seen.deliver(`${text(record)} of ${record.epoch}`));
    await fill(owner, 11, 60);
    await seen.count(60);
    expect(seen.all).toEqual(names(1, 60).map((name) => `${name} of ${owner.epoch}`));
    await other.close();
    await fill(owner, 61, 61);
    expect(await texts(owner, 60)).toEqual(["r60", "r61"]);
    await owner.close();
  });
}

function describeBigRecords(bench: Bench): void {
  test.each([0, 1, MiB - 1, MiB, MiB + 1, 3 * MiB])(
    "a record of %i bytes is one record",
    async (size) => {
      const first = await owned(bench);
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
    await store.lead();
    await fill(store, 1, 1);
    const end = store.append(patterned(4 * MiB), { index: 2, epoch: store.epoch });
    await expect(end).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
    expect(await texts(store, 1)).toEqual(["r1"]);
    await store.close();
    const next = await owned(bench);
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
        const store = cutReply(await owned(bench), cut, moment);
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
