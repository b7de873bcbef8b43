import type { Graph } from "@halon/graph";
import { isLive } from "./builtin/context.ts";
import { holdsItsSlot } from "./builtin/exclusive.ts";
import { modeOf } from "./builtin/node-mode.ts";
import type { CoordinatorState } from "./state.ts";

/** A lease that a node asks to be renewed: for which instance, with the token of its start. */
export interface AskedLease {
  readonly instance: string;
  readonly token: number;
}

/** Instances of one renewal; what a node asks beyond that is not granted. */
export const askedMax = 10_000;

/**
 * The instances that the node may run for another lease, as the state has it (rfc/0008).
 *
 * Those of a node that is not down or out, which hold their slot and have not ended, under the newest token of their service.
 */
export function grantable(
  state: Pick<CoordinatorState, "graph">,
  node: string,
  asked: readonly AskedLease[],
): readonly string[] {
  const { graph } = state;
  const known = graph.get("Node", node);
  if (known === undefined || known.attributes.state === "down") return [];
  if (modeOf(known) === "decommissioned") return [];
  return asked
    .slice(0, askedMax)
    .filter((one) => isGranted(graph, node, one))
    .map(({ instance }) => instance);
}

function isGranted(graph: Graph, node: string, { instance: id, token }: AskedLease): boolean {
  const instance = graph.get("ServiceInstance", id);
  if (instance === undefined || instance.attributes.node !== node) return false;
  if (instance.attributes.token !== token || !isLive(instance.attributes.state)) return false;
  // Of a deployment that was removed the instance is being stopped, and no other can have been started.
  const newest = graph.get("Deployment", instance.attributes.service)?.attributes.token ?? token;
  return newest === token && holdsItsSlot(graph, instance);
}
