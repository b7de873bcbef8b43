import type { ClusterInvariant } from "./cluster-invariant.ts";

/** C21: after the healing every node that is there is part of the complete cluster, within 30 s, and no start was refused. */
export function allJoined(): ClusterInvariant {
  return {
    id: "C21",
    name: "all have joined",
    missing({ cluster }) {
      if (cluster.settings.bootstrap === undefined) return null;
      for (const { name, status, setup, refusal } of cluster.nodes) {
        if (status === "dead") continue;
        if (refusal !== null) return `${name} was refused: ${refusal.message}`;
        if (setup === null) return `${name} has not joined`;
      }
      return null;
    },
  };
}
