import type { Peer } from "@halon/protocol";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/** C18: never two agencies. Every configuration that says that it is complete has the same tracking nodes, as many as wanted. */
export function oneAgency(): ClusterInvariant {
  let founders: string | null = null;
  const look = (who: string, agencySize: number | null, peers: readonly Peer[]): void => {
    const tracking = peers.filter(({ role }) => role === "tracking");
    const ids = tracking.map(({ id, name }) => `${name} ${id}`).sort();
    if (ids.length !== agencySize)
      violated("C18", `${who} is complete with ${ids.length} of ${agencySize} tracking nodes`);
    founders ??= ids.join(", ");
    if (ids.join(", ") !== founders)
      violated("C18", `${who} has an agency of ${ids.join(", ")}, and there is one of ${founders}`);
  };
  return {
    id: "C18",
    name: "one agency",
    saw(_scene, what) {
      if (what.type === "setupSaved" && what.setup.phase === "complete")
        look(what.node.name, what.setup.agencySize, what.setup.peers);
      if (what.type === "helloAnswered" && what.config.complete)
        look(`what ${what.node.name} tells`, what.config.agencySize, what.config.peers);
    },
  };
}
