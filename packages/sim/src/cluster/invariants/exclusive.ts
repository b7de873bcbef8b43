import { violated } from "../../invariants/invariant.ts";
import type { SimProcess } from "../processes.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/**
 * C5: at no instant two live instances of an exclusive service, and the tokens of its starts grow.
 *
 * What stands still with its machine does nothing; when the machine goes on its keeper is the first to act.
 */
export function exclusive(): ClusterInvariant {
  const live = new Map<string, Set<SimProcess>>();
  const tokens = new Map<string, { readonly token: number; readonly instance: string }>();
  // A crash of `halond` ends no pause: what was to come to the machine comes at the end of that.
  const runs = ({ world, cluster }: Scene, { slot }: SimProcess): boolean => {
    const { pausedUntil = 0 } = world.members[slot] ?? {};
    const { resumesAt = 0 } = cluster.nodes[slot] ?? {};
    return Math.max(pausedUntil, resumesAt) <= world.now;
  };
  return {
    id: "C5",
    name: "one of an exclusive service",
    saw(scene, what) {
      if (what.type === "ended") live.get(what.process.service)?.delete(what.process);
      if (what.type !== "launched") return;
      const { process } = what;
      const { service, token, instance } = process;
      if (token === null) return;
      const others = live.get(service) ?? new Set<SimProcess>();
      for (const other of others)
        if (runs(scene, other)) violated("C5", `${instance} starts while ${other.instance} lives`);
      const last = tokens.get(service) ?? { token: 0, instance: "" };
      // The next `halond` of a node that died before its answer was in a record begins the same start once more.
      if (token < last.token || (token === last.token && instance !== last.instance))
        violated("C5", `${instance} starts with token ${token}, after one with ${last.token}`);
      tokens.set(service, { token, instance });
      others.add(process);
      live.set(service, others);
    },
  };
}
