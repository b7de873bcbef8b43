import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/**
 * C1: one effective coordinator. An epoch has one node; the epochs of records never fall, and each is of the one who
 * decided it; what takes effect at a node has epochs that never fall within a start of its `halond`.
 */
export function epochs(): ClusterInvariant {
  const leaders = new Map<number, string>();
  const atNodes = new Map<string, number>();
  return {
    id: "C1",
    name: "one effective coordinator",
    beforeRecord({ committed }, { index, epoch }) {
      if (epoch < committed.epoch)
        violated(
          "C1",
          `record ${index} is of epoch ${epoch}, the one before of ${committed.epoch}`,
        );
      if (!leaders.has(epoch))
        violated("C1", `record ${index} is of epoch ${epoch}, in which nobody has led`);
    },
    saw(_scene, what) {
      if (what.type === "committed" && leaders.get(what.record.epoch) !== what.node.name)
        violated(
          "C1",
          `${what.node.name} has decided record ${what.record.index} in epoch ${what.record.epoch}, which is another's`,
        );
      if (what.type === "leading") {
        const { node, epoch } = what;
        const other = leaders.get(epoch);
        if (other !== undefined)
          violated("C1", `${node.name} leads in epoch ${epoch}, as ${other} did before`);
        leaders.set(epoch, node.name);
      }
      if (what.type !== "commandTaken" || what.verdict !== "begin") return;
      const { node, command } = what;
      const key = `${node.name}/${node.incarnation}`;
      const known = atNodes.get(key) ?? 0;
      if (command.epoch < known)
        violated(
          "C1",
          `${node.name} begins ${command.id} of epoch ${command.epoch} after one of ${known}`,
        );
      atNodes.set(key, command.epoch);
    },
  };
}
