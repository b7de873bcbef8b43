import { setTimeout as delay } from "node:timers/promises";
import { openEtcdEngine } from "@halon/coordinator/store";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { cleanUp, waitFor } from "../../e2e/cluster.ts";
import {
  base64,
  bytes,
  chunked,
  closeAll,
  closeLater,
  fill,
  freshPrefix,
  leadOn,
  lost,
  numbered,
  openOn,
  textsOf,
} from "./etcd-handles.ts";
import { startProxy } from "./etcd-proxy.ts";
import { type Etcd, etcdNotice, hasEtcd, startEtcd } from "./etcd-server.ts";
import { patterned } from "./faulty.ts";

afterEach(closeAll);

describe.skipIf(!hasEtcd)(`etcd engine, one server${etcdNotice}`, () => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd(1);
  });
  afterAll(cleanUp);

  test("two clusters on one prefix refuse each other, and say which", async () => {
    const prefix = freshPrefix();
    await openOn(etcd, prefix);
    const other = openEtcdEngine({ url: etcd.url(prefix), clusterId: "c2", address: "h:1" });
    await expect(other).rejects.toMatchObject({
      code: "HAL_CONFLICT",
      message: expect.stringMatching(new RegExp(`'${prefix}'.*c1.*c2`)),
    });
    // With a prefix of its own there is room for both.
    const url = etcd.url(freshPrefix());
    closeLater(await openEtcdEngine({ url, clusterId: "c2", address: "h:1" }));
  });

  test("the largest slot fits, and is read again by another handle", async () => {
    const prefix = freshPrefix();
    const owner = await leadOn(etcd, prefix);
    const data = patterned(1024 * 1024 + 64);
    for (const position of [1, 2, 3, 4, 5]) {
      const appended = await owner.append(data, { position, epoch: owner.epoch });
      expect(appended).toEqual({ type: "committed" });
    }
    const reader = await openOn(etcd, prefix);
    for (const position of [1, 2, 3, 4, 5]) {
      const [slot] = await reader.read(position);
      expect(slot?.position).toBe(position);
      expect(Buffer.compare(slot?.data ?? bytes(""), data)).toBe(0);
    }
  });

  test("a standby knows the owner, is told of commits, and leads at once when the owner closes", async () => {
    const prefix = freshPrefix();
    const owner = await leadOn(etcd, prefix, 1);
    const standby = await openOn(etcd, prefix, 2);
    expect(standby.owner).toBe("10.0.0.1:1");
    const told = new Promise<void>((done) => standby.onCommit(done));
    const changed = new Promise<void>((done) => standby.onOwner(done));
    const leading = standby.lead();
    await fill(owner, 1, 3);
    await told;
    expect(await textsOf(standby)).toEqual(numbered(1, 3));
    await owner.close();
    await changed;
    await leading;
    expect(standby.epoch).toBe(owner.epoch + 1);
    expect(standby.owner).toBe("10.0.0.1:2");
    await fill(standby, 4, 4);
    expect(await textsOf(standby)).toEqual(numbered(1, 4));
  });

  test("an owner that died keeps the store until its lease ends, and no longer", async () => {
    const prefix = freshPrefix();
    const { ID } = await etcd.post("lease/grant", { TTL: 2 });
    const value = base64(JSON.stringify({ epoch: 7, address: "10.0.0.9:1" }));
    await etcd.post("kv/put", { key: base64(`${prefix}/owner`), value, lease: ID });
    await etcd.post("kv/put", { key: base64(`${prefix}/epoch`), value: base64("7") });
    const standby = await openOn(etcd, prefix);
    expect(standby.owner).toBe("10.0.0.9:1");
    await standby.lead();
    expect(standby.epoch).toBe(8);
  });

  test("an owner whose key is another's learns of it, and its appends store nothing", async () => {
    const prefix = freshPrefix();
    const owner = await leadOn(etcd, prefix);
    await fill(owner, 1, 1);
    const reason = lost(owner);
    await etcd.post("kv/deleterange", { key: base64(`${prefix}/owner`) });
    // Whether it has been told yet or not.
    const late = await owner.append(bytes("late"), { position: 2, epoch: owner.epoch });
    expect(late).toMatchObject({ type: "fenced" });
    expect(await reason).toMatch(/owner key/);
    const next = await leadOn(etcd, prefix);
    expect(await textsOf(next)).toEqual(["s1"]);
    expect(await textsOf(owner)).toEqual(["s1"]);
  });

  test("compaction of etcd's history under a follower hides nothing from it", async () => {
    const prefix = freshPrefix();
    const owner = await leadOn(etcd, prefix);
    const follower = await openOn(etcd, prefix);
    for (let round = 0; round < 5; round++) {
      await fill(owner, round * 10 + 1, round * 10 + 10);
      const { header } = await etcd.post("kv/range", { key: base64("x") });
      await etcd.post("kv/compaction", header as object);
    }
    expect(await textsOf(follower)).toEqual(numbered(1, 50));
  });

  test("slots that another handle drops show in the first position, and the snapshot is whole", async () => {
    const prefix = freshPrefix();
    const owner = await leadOn(etcd, prefix);
    const follower = await openOn(etcd, prefix);
    await fill(owner, 1, 30);
    await owner.saveSnapshot(10, chunked(bytes("old"), patterned(1024 * 1024), bytes("er")));
    const older = await follower.loadSnapshot();
    const chunks = Array.from({ length: 150 }, (_, at) => bytes(`chunk ${at}`));
    await owner.saveSnapshot(20, chunked(...chunks));
    await owner.compactTo(20);
    expect(owner.firstPosition).toBe(21);
    await waitFor("the follower to know", async () => {
      await follower.read(1);
      return follower.firstPosition === 21;
    });
    expect(await textsOf(follower, 21)).toEqual(numbered(21, 30));
    const newest = await follower.loadSnapshot();
    expect(newest?.position).toBe(20);
    const read: string[] = [];
    for await (const chunk of newest?.chunks ?? []) read.push(Buffer.from(chunk).toString("utf8"));
    expect(read).toEqual(chunks.map((chunk) => Buffer.from(chunk).toString("utf8")));
    // The one before was opened when it was the newest: it is read as it was.
    const sizes: number[] = [];
    for await (const chunk of older?.chunks ?? []) sizes.push(chunk.length);
    expect(sizes).toEqual([3, 1024 * 1024, 2]);
    const left = await etcd.post("kv/range", {
      key: base64(`${prefix}/snapshot/`),
      range_end: base64(`${prefix}/snapshot0`),
      count_only: true,
    });
    expect(Number(left["count"])).toBe(chunks.length + 1);
    // Who comes last knows the end of a log whose slots are all gone.
    await owner.saveSnapshot(30, chunked(bytes("all")));
    await owner.compactTo(30);
    await owner.close();
    const next = await leadOn(etcd, prefix);
    expect(next.firstPosition).toBe(31);
    await fill(next, 31, 31);
  });

  test("only the owner saves a snapshot", async () => {
    const prefix = freshPrefix();
    await leadOn(etcd, prefix);
    const follower = await openOn(etcd, prefix);
    const saved = follower.saveSnapshot(1, chunked(bytes("x")));
    await expect(saved).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  });

  test("a server that stops for 3 s costs the ownership and no slot", async () => {
    const prefix = freshPrefix();
    const owner = await leadOn(etcd, prefix);
    await fill(owner, 1, 3);
    const reason = lost(owner);
    const [server] = etcd.members;
    await server?.pause();
    const stopped = delay(3_000);
    try {
      const hanging = owner.append(bytes("s4"), { position: 4, epoch: owner.epoch });
      await expect(hanging).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
      expect(await reason).toMatch(/not confirmed the lease/);
      await stopped;
    } finally {
      server?.signal("SIGCONT");
    }
    const next = await leadOn(etcd, prefix);
    expect(next.epoch).toBeGreaterThan(owner.epoch);
    const left = await textsOf(next);
    // The outcome of the fourth was unknown.
    expect([numbered(1, 3), numbered(1, 4)]).toContainEqual(left);
    await fill(next, left.length + 1, left.length + 1);
    const late = await owner.append(bytes("late"), { position: 6, epoch: owner.epoch });
    expect(late).toMatchObject({ type: "fenced" });
    expect(await textsOf(next)).toEqual(numbered(1, left.length + 1));
  });

  test.each(["deaf", "closed"] as const)(
    "an append whose connection is %s at first is committed once",
    async (passage) => {
      const prefix = freshPrefix();
      const proxy = await startProxy(etcd.members[0]?.endpoint ?? "");
      const url = `etcd://${proxy.endpoint}/${prefix}`;
      const owner = await openEtcdEngine({ url, clusterId: "c1", address: "h:1" });
      closeLater(owner);
      await owner.lead();
      await fill(owner, 1, 1);
      const reader = await openOn(etcd, prefix);
      proxy.passage = passage;
      if (passage === "closed") proxy.cut();
      const appending = owner.append(bytes("s2"), { position: 2, epoch: owner.epoch });
      if (passage === "deaf") {
        await waitFor("the slot to be there", async () => (await reader.read(2)).length === 1);
      }
      proxy.passage = "open";
      // On a machine that is too busy the lease may have ended meanwhile.
      const appended = await appending.catch(() => undefined);
      if (appended !== undefined) expect(appended).toEqual({ type: "committed" });
      if (appended !== undefined) await fill(owner, 3, 3);
      const texts = await textsOf(reader);
      expect(texts).toEqual(numbered(1, texts.length));
      await proxy.close();
    },
  );

  test("a follower whose watch is cut goes on from where it was", async () => {
    const prefix = freshPrefix();
    const owner = await leadOn(etcd, prefix);
    const proxy = await startProxy(etcd.members[0]?.endpoint ?? "");
    const url = `etcd://127.0.0.1:1,${proxy.endpoint}/${prefix}`;
    const follower = await openEtcdEngine({ url, clusterId: "c1", address: "h:1" });
    closeLater(follower);
    for (let round = 0; round < 5; round++) {
      proxy.cut();
      const told = new Promise<void>((done) => follower.onCommit(done));
      await fill(owner, round * 10 + 1, round * 10 + 10);
      await told;
    }
    await waitFor("the last slot", async () => (await follower.read(50)).length === 1);
    expect(await textsOf(follower)).toEqual(numbered(1, 50));
    await proxy.close();
  });

  test("a key that something else wrote is named", async () => {
    const prefix = freshPrefix();
    await etcd.post("kv/put", { key: base64(`${prefix}/owner`), value: base64("mine") });
    await expect(openOn(etcd, prefix)).rejects.toMatchObject({
      code: "HAL_STORE_DAMAGED",
      message: expect.stringContaining(`${prefix}/owner`),
    });
  });

  test("no endpoint answers: opening says so within its time", async () => {
    const url = "etcd://127.0.0.1:1/halon";
    const open = openEtcdEngine({ url, clusterId: "c1", address: "h:1" });
    await expect(open).rejects.toMatchObject({
      code: "HAL_STORE_FAILED",
      message: expect.stringContaining("127.0.0.1:1"),
    });
  });
});
