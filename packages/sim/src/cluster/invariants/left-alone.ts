import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/** C14: nothing moves off a node that is down while the breaker is open; nothing is started on a node in maintenance. */
export function leftAlone(): ClusterInvariant {
  let wasTripped = false;
  const inMaintenance = new Set<string>();
  return {
    id: "C14",
    name: "what people hold stays",
    beforeRecord({ committed: { graph } }) {
      wasTripped = graph.list("Cluster")[0]?.attributes.breaker !== undefined;
      inMaintenance.clear();
      for (const { id } of graph.list("Node", { mode: "maintenance" })) inMaintenance.add(id);
    },
    afterRecord({ committed: { graph } }, { index, decisions }) {
      const isTripped = graph.list("Cluster")[0]?.attributes.breaker !== undefined;
      for (const { event, firings } of decisions) {
        const data = event.data as Readonly<Record<string, unknown>>;
        if (event.type === "ServiceMoved" && wasTripped && isTripped) {
          const from = String(data["from"]);
          const node = graph.get("Node", from)?.attributes;
          if (node?.state === "down" && node.mode !== "decommissioned")
            violated(
              "C14",
              `record ${index} moves ${data["service"]} off ${from}: the breaker is open`,
            );
        }
        for (const { commands } of firings)
          for (const { node, action } of commands) {
            const isHeld =
              inMaintenance.has(node) && graph.get("Node", node)?.attributes.mode === "maintenance";
            if (action.type === "StartService" && isHeld)
              violated(
                "C14",
                `record ${index} starts ${action.instance} on ${node}, in maintenance`,
              );
          }
      }
    },
  };
}
