import { compareText, type GraphView, NodePolicy } from "@halon/protocol";

/** Nodes that were lost and are not back, each with the log time (ms) of its loss. */
export type Losses = Readonly<Record<string, number>>;

const standardPolicy = NodePolicy.parse({});
/** Nodes that the operator reads of in a reason; the others are counted. */
const nodesNamedMax = 5;

/** What the cluster file says about nodes that are gone, or the defaults. */
export function nodePolicy(graph: GraphView): NodePolicy {
  return graph.list("Cluster")[0]?.attributes.nodes ?? standardPolicy;
}

/** Whether too many nodes were lost at once: then nothing is moved off nodes that are down (rfc/0008). */
export function isTripped(graph: GraphView): boolean {
  return graph.list("Cluster")[0]?.attributes.breaker !== undefined;
}

/**
 * The nodes whose loss trips the breaker, in name order; empty when it holds.
 *
 * It trips on at least `breakerNodes` nodes, and more than `breakerShare` of all `total`, lost within the window that
 * ends `now` (log time, ms).
 */
export function massLoss(input: {
  readonly losses: Losses;
  readonly now: number;
  readonly total: number;
  readonly policy: Pick<NodePolicy, "breakerNodes" | "breakerShare" | "breakerWindowMs">;
}): readonly string[] {
  const { losses, now, total, policy } = input;
  const recent = Object.keys(losses).filter(
    (node) => (losses[node] ?? 0) > now - policy.breakerWindowMs,
  );
  const isMany = recent.length >= policy.breakerNodes;
  return isMany && recent.length > policy.breakerShare * total ? recent.sort(compareText) : [];
}

/** What people read of a tripped breaker. */
export function tripReason(nodes: readonly string[], total: number, windowMs: number): string {
  const named = nodes.slice(0, nodesNamedMax).join(", ");
  const others = nodes.length - nodesNamedMax;
  const which = others > 0 ? `${named} and ${others} more` : named;
  return `${nodes.length} of ${total} nodes were lost within ${windowMs / 1_000} s: ${which}`;
}
