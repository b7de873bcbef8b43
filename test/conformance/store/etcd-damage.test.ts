import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Engine, openEtcdEngine } from "@halon/coordinator/store";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { cleanUp, temporaryDirectory, waitFor } from "../../e2e/cluster.ts";
import {
  bytes,
  closeAll,
  closeLater,
  fill,
  leadOn,
  lost,
  numbered,
  openOn,
  textsOf,
} from "./etcd-handles.ts";
import { etcdNotice, hasEtcd, leaderOf, startEtcd } from "./etcd-server.ts";
import { patterned } from "./faulty.ts";

afterEach(closeAll);

describe.skipIf(!hasEtcd)(`etcd engine, damage${etcdNotice}`, () => {
  afterAll(cleanUp);

  test("a revision that goes back ends every handle: the store was restored from a copy", async () => {
    const etcd = await startEtcd(1);
    const [server] = etcd.members;
    if (server === undefined) throw new Error("no server");
    const owner = await leadOn(etcd, "p");
    const follower = await openOn(etcd, "p");
    await fill(owner, 1, 5);
    await owner.close();
    await server.kill();
    await cp(server.dataDir, `${server.dataDir}.copy`, { recursive: true });
    await server.start();
    const again = await leadOn(etcd, "p");
    await fill(again, 6, 40);
    const followed = await textsOf(follower);
    expect(followed).toEqual(numbered(1, 40));
    const reasons = Promise.all([lost(again), lost(follower)]);
    const seenFile = join(temporaryDirectory(), "seen.json");
    const options = { url: etcd.url("p"), clusterId: "c1", address: "h:1", seenFile };
    await (await openEtcdEngine(options)).close();
    await server.kill();
    await rm(server.dataDir, { recursive: true });
    await cp(`${server.dataDir}.copy`, server.dataDir, { recursive: true });
    await server.start();
    const [owned] = await reasons;
    // Which of them it learns first depends on how long etcd was away.
    expect(owned).toMatch(
      /restored from an older copy|not confirmed the lease|its lease .* has ended/,
    );
    await waitFor("the follower to refuse", () =>
      follower.read(1).then(
        () => false,
        () => true,
      ),
    );
    for (const engine of [again, follower]) {
      await waitFor("every call to say so", () =>
        engine.loadSnapshot().then(
          () => false,
          (error: Error) => /restored from an older copy/.test(error.message),
        ),
      );
    }
    // A handle that was not there learns of it from one that was, and says how to go on.
    await expect(openEtcdEngine(options)).rejects.toMatchObject({
      code: "HAL_STORE_FAILED",
      message: expect.stringMatching(/restored from an older copy.*remove .*seen\.json/),
    });
    await rm(seenFile);
    const afresh = await openEtcdEngine(options);
    closeLater(afresh);
    expect(await textsOf(afresh)).toEqual(numbered(1, 5));
  });

  test("a server out of space is said, with the remedy, and stores nothing by halves", async () => {
    const etcd = await startEtcd(1, ["--quota-backend-bytes", String(8 * 1024 * 1024)]);
    const owner = await leadOn(etcd, "p");
    const data = patterned(1024 * 1024);
    let stored = 0;
    const filling = (async () => {
      for (let position = 1; position < 20; position++) {
        await owner.append(data, { position, epoch: owner.epoch });
        stored = position;
      }
    })();
    await expect(filling).rejects.toMatchObject({
      code: "HAL_STORE_FAILED",
      message: expect.stringMatching(/out of space \(NOSPACE\).*etcdctl alarm disarm/),
    });
    const reader = await openOn(etcd, "p");
    let count = 0;
    while ((await reader.read(count + 1)).length > 0) {
      count += (await reader.read(count + 1)).length;
    }
    expect([stored, stored + 1]).toContain(count);
    await owner.close();
    await expect(reader.lead()).rejects.toMatchObject({
      code: "HAL_STORE_FAILED",
      message: expect.stringContaining("NOSPACE"),
    });
  });
});

describe.skipIf(!hasEtcd)(`etcd engine, three members${etcdNotice}`, () => {
  afterAll(cleanUp);

  test.each([
    ["SIGKILL to the leader of etcd", "SIGKILL", true],
    ["SIGSTOP to the leader of etcd", "SIGSTOP", true],
    ["SIGSTOP to the member that is asked", "SIGSTOP", false],
  ] as const)(
    "%s while slots are appended: none is lost and none is twice",
    async (_, fault, toLeader) => {
      const etcd = await startEtcd(3);
      const leader = await leaderOf(etcd);
      const asked = toLeader ? leader : etcd.members.find((member) => member !== leader);
      const rest = etcd.members.filter((member) => member !== asked);
      const hosts = [asked, ...rest].map((member) => member?.endpoint);
      const open = (port: number): Promise<Engine> =>
        openEtcdEngine({
          url: `etcd://${hosts.join(",")}/p`,
          clusterId: "c1",
          address: `10.0.0.1:${port}`,
        });
      const follower = await open(2);
      let owner = await open(1);
      await owner.lead();
      closeLater(follower);
      closeLater(owner);
      let next = 1;
      while (next <= 300) {
        if (next === 100) asked?.signal(fault);
        const at = { position: next, epoch: owner.epoch };
        const appended = await owner.append(bytes(`s${next}`), at).catch(() => undefined);
        if (appended?.type === "committed") {
          next += 1;
          continue;
        }
        await owner.close();
        owner = await open(1);
        closeLater(owner);
        await owner.lead();
        next = (await textsOf(owner)).length + 1;
      }
      expect(await textsOf(follower)).toEqual(numbered(1, 300));
      expect(await textsOf(owner)).toEqual(numbered(1, 300));
    },
  );
});
