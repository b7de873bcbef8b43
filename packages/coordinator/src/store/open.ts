import { join } from "node:path";
import type { CoordinatorData } from "../thread/wire.ts";
import { openAgencyEngine } from "./agency.ts";
import type { Engine } from "./engine.ts";
import { openEtcdEngine } from "./etcd/engine.ts";

/** Opens the engine that keeps the decision log of a node. Errors are those of the engines. */
export async function openEngine({
  store,
  dataDir,
  address,
  newCluster,
}: CoordinatorData): Promise<Engine> {
  switch (store.type) {
    case "agency":
      return openAgencyEngine(store.port);
    case "etcd":
      return openEtcdEngine({
        url: store.url,
        clusterId: newCluster.id,
        address,
        seenFile: join(dataDir, "etcd-seen.json"),
      });
  }
}
