import { openEtcdEngine } from "@halon/coordinator/store";
import { afterAll, beforeAll, describe } from "vitest";
import { cleanUp } from "../../e2e/cluster.ts";
import { type Place, storeConformance } from "./conformance.ts";
import { type Etcd, etcdNotice, hasEtcd, leaderOf, startEtcd } from "./etcd-server.ts";

let places = 0;

/** A prefix of its own on a running etcd. */
function placeOn(etcd: Etcd): Place {
  places += 1;
  const prefix = `halon-${places}`;
  let handles = 0;
  const open = () => {
    handles += 1;
    const address = `10.0.0.${handles}:8528`;
    return openEtcdEngine({ url: etcd.url(prefix), clusterId: "c1", address });
  };
  return {
    open,
    beside: true,
    async takeOver() {
      const engine = await open();
      // As if the lease of the owner had ended before the owner thought so.
      const key = Buffer.from(`${prefix}/owner`).toString("base64");
      await etcd.post("kv/deleterange", { key });
      return engine;
    },
  };
}

describe.skipIf(!hasEtcd)(`one server${etcdNotice}`, () => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd(1);
  });
  afterAll(cleanUp);
  storeConformance("etcd", async () => placeOn(etcd));
});

describe.skipIf(!hasEtcd)(`three members, one of them killed${etcdNotice}`, () => {
  let etcd: Etcd;
  let tests = 0;
  beforeAll(async () => {
    etcd = await startEtcd(3);
  });
  afterAll(cleanUp);
  storeConformance("etcd", async () => {
    tests += 1;
    // From then on there are two, and one of the endpoints is dead.
    if (tests === 5) await (await leaderOf(etcd)).kill();
    return placeOn(etcd);
  });
});
