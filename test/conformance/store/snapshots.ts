import { storeOf } from "@halon/coordinator/store";
import { expect, test } from "vitest";
import { collect, deliveries, stalled } from "./faulty.ts";
import {
  type Bench,
  bytes,
  fill,
  followed,
  follower,
  names,
  owned,
  reopened,
  text,
  texts,
} from "./handles.ts";

export function describeSnapshots(bench: Bench): void {
  test("a snapshot replaces the records up to its index; the tail stays", async () => {
    let store = await owned(bench);
    await fill(store, 1, 10);
    const seen = deliveries();
    store.follow(1, (record) => seen.deliver(text(record)));
    expect(await store.loadSnapshot()).toBeUndefined();
    await store.saveSnapshot(4, [bytes("old")]);
    await store.saveSnapshot(7, [bytes("state "), bytes("at 7")]);
    await store.saveSnapshot(5, [bytes("older than the one before")]);
    // Compaction is not seen by those who follow.
    await seen.count(10);
    expect(seen.all).toEqual(names(1, 10));
    await fill(store, 11, 12);
    for (const round of ["open", "reopened"]) {
      if (round === "reopened") store = await reopened(bench, store);
      const snapshot = await store.loadSnapshot();
      expect(snapshot?.index).toBe(7);
      const chunks = await collect(snapshot?.chunks ?? []);
      expect(Buffer.concat(chunks).toString("utf8")).toBe("state at 7");
      expect(await texts(store, 8)).toEqual(["r8", "r9", "r10", "r11", "r12"]);
      await expect(collect(store.read(7))).rejects.toMatchObject({ code: "HAL_NOT_FOUND" });
      expect(() => store.follow(7, () => undefined)).toThrow(
        expect.objectContaining({ code: "HAL_NOT_FOUND" }),
      );
    }
    await fill(store, 13, 13);
    await store.close();
  });

  test("a snapshot of everything leaves an empty tail that goes on at the next index", async () => {
    const first = await owned(bench);
    await fill(first, 1, 3);
    await first.saveSnapshot(3, [bytes("all")]);
    const second = await reopened(bench, first);
    expect(await texts(second, 4)).toEqual([]);
    await fill(second, 4, 4);
    expect(await texts(second, 4)).toEqual(["r4"]);
    await second.close();
  });
}

export function describeSnapshotsBeside(bench: Bench): void {
  test("snapshots are each handle's own, or the owner's for all", async () => {
    if (!bench.place.beside) return;
    const owner = await owned(bench);
    await fill(owner, 1, 10);
    const other = await follower(bench);
    expect(await followed(other, 1, 10)).toEqual(names(1, 10));
    expect(other.snapshotsAreOwn).toBe(owner.snapshotsAreOwn);
    const saved = other.saveSnapshot(7, [bytes("other's")]);
    if (owner.snapshotsAreOwn) {
      await saved;
      expect((await other.loadSnapshot())?.index).toBe(7);
      expect(await owner.loadSnapshot()).toBeUndefined();
      expect(await texts(owner, 1)).toEqual(names(1, 10));
    } else {
      await expect(saved).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
      await owner.saveSnapshot(7, [bytes("owner's")]);
      expect((await other.loadSnapshot())?.index).toBe(7);
    }
    await fill(owner, 11, 11);
    expect(await followed(other, 8, 4)).toEqual(names(8, 11));
    await other.close();
    await owner.close();
  });

  test("a follower that a snapshot overtakes hears that it is broken, and goes on from the snapshot", async () => {
    if (!bench.place.beside) return;
    const owner = await owned(bench);
    await fill(owner, 1, 3);
    const { place } = bench;
    const slow = stalled(await (place.follower ?? place.open)());
    const other = await storeOf(slow.engine);
    slow.stall();
    const seen = deliveries();
    const end = new Promise<unknown>((resolve) => {
      other.follow(
        1,
        (record) => {
          seen.deliver(text(record));
          if (seen.all.length === 10) resolve(undefined);
        },
        resolve,
      );
    });
    await fill(owner, 4, 10);
    await owner.saveSnapshot(7, [bytes("owner's")]);
    slow.resume();
    const error = await end;
    expect(seen.all).toEqual(names(1, seen.all.length));
    if (error !== undefined) {
      expect(error).toMatchObject({ code: "HAL_NOT_FOUND" });
      expect((await other.loadSnapshot())?.index).toBe(7);
      expect(await followed(other, 8, 3)).toEqual(names(8, 10));
    }
    await fill(owner, 11, 11);
    expect(await followed(other, 8, 4)).toEqual(names(8, 11));
    await other.close();
    await owner.close();
  });
}
