import { type CommandAction, type GraphView, keyOf, type Resource } from "@halon/protocol";
import { type Context, isLive } from "./context.ts";
import { modeOf } from "./node-mode.ts";

/** How long a node may run an exclusive instance after it asked for that; in ms, as is all here (rfc/0008). */
export const leaseMs = 2_000;
/** Clocks may drift by less than this share. */
const driftMax = 0.05;
/** What the way of an answer and the end of a process may take. */
const marginMs = 500;

type Lease = NonNullable<Extract<CommandAction, { type: "StartService" }>["lease"]>;

/** The token of the last start of a service whose deployment was removed. */
export const tokenKey = (service: string): string => `token/${service}`;
/** Set while the lease of an instance on a lost node is over, but it may not be moved yet: the instance. */
export const overKey = (service: string): string => `lease/${service}`;

/** The token and lease of the next start of a deployment; undefined when it is not exclusive. */
export function takeLease(context: Context, service: string): Lease | undefined {
  if (!isExclusive(context.graph, service)) return undefined;
  const token = (context.graph.get("Deployment", service)?.attributes.token ?? 0) + 1;
  context.update.patch("Deployment", service, { token });
  return { token, leaseMs };
}

/** Whether at most one instance of the service may run in the whole cluster. */
export function isExclusive(graph: GraphView, service: string): boolean {
  return graph.get("Deployment", service)?.attributes.exclusive !== undefined;
}

/** Whether the instance runs under a lease exactly if its deployment is exclusive now. */
export function hasLeaseAsWanted(graph: GraphView, instance: Resource<"ServiceInstance">): boolean {
  return (
    isExclusive(graph, instance.attributes.service) === (instance.attributes.token !== undefined)
  );
}

/** Why the slot may not be started now: another instance of its exclusive service may run; undefined when none does. */
export function startBlocker(context: Context, slot: string): string | undefined {
  const { graph } = context;
  const place = graph.get("ServiceName", slot)?.attributes;
  if (place === undefined || !isExclusive(graph, place.service)) return undefined;
  const other = graph
    .list("ServiceInstance", { service: place.service })
    .find((instance) => instance.attributes.slot !== slot && mayRun(context, instance));
  if (other === undefined) return undefined;
  const { state, node, token } = other.attributes;
  if (state !== "unknown") return `waits for the end of ${other.id}, which is ${state}`;
  if (token === undefined)
    return `waits for ${node}, which is down: ${other.id} may run there, without a lease. Bring the node back, or remove it: halonctl node remove ${node}`;
  return `waits until ${other.id} cannot run any more on ${node}, which is down`;
}

/** Whether an exclusive service keeps its place on a lost node: what runs there may run yet. */
export function isBoundTo(graph: GraphView, service: string, node: string): boolean {
  if (!isExclusive(graph, service)) return false;
  return graph
    .list("ServiceInstance", { service })
    .some(({ attributes }) => attributes.node === node && attributes.state === "unknown");
}

/** How long after a loss of the node the lease of an instance there is over, whatever its clock does. */
export function leaseEndsInMs(leaseAgeMs: number | undefined): number {
  return Math.max(0, Math.ceil(leaseMs * (1 + driftMax)) + marginMs - (leaseAgeMs ?? 0));
}

function mayRun(context: Context, instance: Resource<"ServiceInstance">): boolean {
  const { state, node, token, service } = instance.attributes;
  if (state !== "unknown") return isLive(state);
  const place = context.graph.get("Node", node);
  const isRemoved = place === undefined || modeOf(place) === "decommissioned";
  const isOver = token === undefined || context.memory.get(overKey(service)) === instance.id;
  // A person says that nothing runs there; a lease is waited for all the same.
  return !(isRemoved && isOver);
}

/** The instances of exclusive starts on the node that may run, or of which that is not known. */
export function leasedOn(graph: GraphView, node: string): readonly Resource<"ServiceInstance">[] {
  return graph
    .list("ServiceInstance", { node })
    .filter(
      ({ attributes: { token, state } }) =>
        token !== undefined && (isLive(state) || state === "unknown"),
    );
}

/** The slot that an instance holds. */
export function holdsItsSlot(graph: GraphView, instance: Resource<"ServiceInstance">): boolean {
  const slot = keyOf("ServiceName", instance.attributes.slot);
  return graph.related(keyOf("ServiceInstance", instance.id), "holds", slot);
}
