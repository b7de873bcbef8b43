import { violated } from "../../invariants/invariant.ts";
import type { SimProcess } from "../processes.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/** C4: at no instant two live instances of one service name on one node. */
export function oneOnANode(): ClusterInvariant {
  const live = new Map<string, SimProcess>();
  const keyOf = ({ slot, name }: SimProcess): string => `${slot}/${name}`;
  return {
    id: "C4",
    name: "one of a service name on a node",
    saw(_scene, what) {
      if (what.type === "launched") {
        const { process, node } = what;
        const other = live.get(keyOf(process));
        if (other !== undefined)
          violated(
            "C4",
            `${process.instance} starts on ${node.name} while ${other.instance} lives there as ${other.pid}`,
          );
        live.set(keyOf(process), process);
      } else if (what.type === "ended" && live.get(keyOf(what.process)) === what.process)
        live.delete(keyOf(what.process));
    },
  };
}
