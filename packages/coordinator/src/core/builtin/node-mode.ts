import { type AttributesOf, keyOf, type Resource } from "@halon/protocol";
import { isTripped } from "./breaker.ts";
import { type Context, isLive } from "./context.ts";
import { isMovedOff } from "./moving.ts";

type Mode = NonNullable<AttributesOf<"Node">["mode"]>;

/** Armed by a loss: until it fires, places on nodes that are down stay, so that losses of one moment are seen together. */
export const lossSettledKey = "node-loss";

/** What people have decided about the node. */
export function modeOf(node: Resource<"Node">): Mode {
  return node.attributes.mode ?? "active";
}

/** Whether further services may be placed on the node. */
export function isOpen(node: Resource<"Node">): boolean {
  return node.attributes.state === "up" && modeOf(node) === "active";
}

/** Whether nothing is to be wanted on the node, for a person said that it is emptied or gone. */
export function isLeaving(node: Resource<"Node">): boolean {
  return modeOf(node) === "draining" || modeOf(node) === "decommissioned";
}

/** Whether nothing is decided about what fails on the node. */
export function isInMaintenance(context: Pick<Context, "graph">, node: string): boolean {
  return context.graph.get("Node", node)?.attributes.mode === "maintenance";
}

/**
 * Whether what is placed on the node stays placed there, whatever becomes of the node: in maintenance, and on a node
 * that is down while the breaker is tripped or losses of this moment are still awaited.
 */
export function keepsPlaces(
  context: Pick<Context, "graph" | "timer">,
  node: Resource<"Node">,
): boolean {
  if (modeOf(node) === "maintenance") return true;
  if (node.attributes.state !== "down" || modeOf(node) === "decommissioned") return false;
  return isTripped(context.graph) || context.timer.pending(lossSettledKey);
}

/**
 * Whether a place on a draining node, or one that is moved off its node, is kept although it is planned away: what replaces it does not run yet.
 *
 * Of an exclusive deployment none is kept: the old instance has to end first. Neither is one whose replacement is
 * stopped by a person or broken: nothing would end the wait.
 */
export function lingers(
  context: Pick<Context, "graph" | "memory">,
  deployment: Resource<"Deployment">,
  slot: Resource<"ServiceName">,
  planned: readonly string[],
): boolean {
  const { graph } = context;
  const { exclusive, on } = deployment.attributes;
  if (exclusive !== undefined || on === "every-node") return false;
  const node = graph.get("Node", slot.attributes.node);
  if (node?.attributes.state !== "up") return false;
  if (modeOf(node) !== "draining" && !isMovedOff(context, deployment.id, node.id)) return false;
  const [instance] = graph.in(keyOf("ServiceName", slot.id), "holds", "ServiceInstance");
  if (instance === undefined || !isLive(instance.attributes.state)) return false;
  if (instance.attributes.state === "stopping") return false;
  return planned.some((name) => isOnItsWay(context, `${deployment.id}@${name}`));
}

/** Whether the slot's instance is going to run, and does not run yet. */
function isOnItsWay({ graph }: Pick<Context, "graph">, slot: string): boolean {
  const place = graph.get("ServiceName", slot);
  // It is planned, and its slot is made right after.
  if (place === undefined) return true;
  const { halted, broken, node } = place.attributes;
  if (halted === true || broken !== undefined) return false;
  if (graph.get("Node", node)?.attributes.state !== "up") return false;
  const [instance] = graph.in(keyOf("ServiceName", slot), "holds", "ServiceInstance");
  const state = instance?.attributes.state;
  return state !== "running" && state !== "degraded";
}
