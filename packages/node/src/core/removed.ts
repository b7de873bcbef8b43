import type { GraphView } from "@halon/protocol";
import type { ReplicaDelta } from "./agent-messages.ts";

const nodeKey = "Node/";

/** Why the node may not take part, or null: a person has removed it and has not taken it back. */
export function removalOf(graph: GraphView, node: string): string | null {
  if (graph.get("Node", node)?.attributes.mode !== "decommissioned") return null;
  // A reason that a link is closed with has room for some hundred bytes.
  return `${node} was removed; take it back with \`halonctl node resume ${node}\``;
}

/** Nodes that the record has removed from the cluster. */
export function removedBy({ changes }: ReplicaDelta): readonly string[] {
  return changes.flatMap((change) => {
    if (change.type !== "put" || !change.key.startsWith(nodeKey)) return [];
    const isNew = change.before?.["mode"] !== "decommissioned";
    return isNew && change.after["mode"] === "decommissioned"
      ? [change.key.slice(nodeKey.length)]
      : [];
  });
}
