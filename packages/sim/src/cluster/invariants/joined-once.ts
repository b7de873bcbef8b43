import type { Peer } from "@halon/protocol";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/** C19: no node is in a cluster twice. A name, an address and an id belong together, in every configuration of a cluster. */
export function joinedOnce(): ClusterInvariant {
  /** By cluster and name, address or id: the other two. */
  const known = new Map<string, string>();
  const look = (who: string, clusterId: string | null, peers: readonly Peer[]): void => {
    const seen = new Set<string>();
    for (const { id, name, address } of peers)
      for (const key of [`id ${id}`, `name ${name}`, `address ${address}`]) {
        if (seen.has(key)) violated("C19", `${who} lists the ${key} twice`);
        seen.add(key);
        const all = `${id} ${name} ${address}`;
        const before = known.get(`${clusterId} ${key}`);
        if (before !== undefined && before !== all)
          violated("C19", `${who} lists ${all}, and the ${key} was that of ${before}`);
        known.set(`${clusterId} ${key}`, all);
      }
  };
  return {
    id: "C19",
    name: "joined once",
    saw(_scene, what) {
      if (what.type === "setupSaved") look(what.node.name, what.setup.clusterId, what.setup.peers);
      if (what.type === "helloAnswered")
        look(`what ${what.node.name} tells`, what.config.clusterId, what.config.peers);
    },
  };
}
