import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/**
 * C17: one cluster id. Nodes whose cluster is complete have one, and unless a disk was lost no hello was ever answered with
 * another (rfc/0007).
 */
export function oneCluster(): ClusterInvariant {
  let complete: string | null = null;
  let told: string | null = null;
  let isDiskLost = false;
  return {
    id: "C17",
    name: "one cluster id",
    saw(_scene, what) {
      if (what.type === "setupLost") isDiskLost = true;
      if (what.type === "setupSaved" && what.setup.phase === "complete") {
        const { clusterId } = what.setup;
        complete ??= clusterId;
        if (clusterId !== complete)
          violated(
            "C17",
            `${what.node.name} is of the cluster ${clusterId}, others of ${complete}`,
          );
      }
      if (what.type !== "helloAnswered" || isDiskLost) return;
      const { clusterId } = what.config;
      told ??= clusterId;
      if (clusterId !== told)
        violated("C17", `${what.node.name} tells of the cluster ${clusterId}, others told ${told}`);
    },
  };
}
