import { type GraphView, keyOf, type Resource } from "@halon/protocol";
import { conditionsOn, hasToWait, isWantedOn, waitsFor } from "./conditions.ts";
import { bounded, type Context, isLive } from "./context.ts";
import { startBlocker } from "./exclusive.ts";

/** Nodes that a shortfall names, each with what speaks against it. */
const nodesNamedMax = 3;

/** Whether the slot is not started now although it is wanted; says why where people look for it. */
export function isHeldBack(context: Context, slot: string): boolean {
  const { graph } = context;
  const service = graph.get("ServiceName", slot)?.attributes.service ?? "";
  const deployment = graph.get("Deployment", service);
  if (deployment === undefined || !hasToWait(graph, deployment)) return false;
  tellShortfall(context, service);
  const reason = whyNotNow(context, slot);
  if (reason === undefined) return false;
  context.why(`${slot} ${reason}`);
  return true;
}

function whyNotNow(context: Context, slot: string): string | undefined {
  return startBlocker(context, slot) ?? waitsFor(context, slot);
}

/** Brings what people see of the deployment's missing instances up to date. */
export function tellShortfall(context: Context, service: string): void {
  const deployment = context.graph.get("Deployment", service);
  if (deployment === undefined) return;
  const shortfall = shortfallOf(context, deployment);
  if (shortfall === deployment.attributes.shortfall) return;
  context.update.patch("Deployment", service, { shortfall });
}

/** Why fewer instances of the deployment run, or may start, than are asked for; undefined when none is missing. */
function shortfallOf(context: Context, deployment: Resource<"Deployment">): string | undefined {
  const { graph } = context;
  const slots = graph.out(keyOf("Deployment", deployment.id), "places", "ServiceName");
  const reasons = [
    ...tooFew(graph, deployment, slots),
    ...(hasToWait(graph, deployment) ? slots.flatMap((slot) => reasonToWait(context, slot)) : []),
  ];
  return reasons.length === 0 ? undefined : bounded(reasons.join("; "));
}

function tooFew(
  graph: GraphView,
  deployment: Resource<"Deployment">,
  slots: readonly Resource<"ServiceName">[],
): readonly string[] {
  const { on, replicas } = deployment.attributes;
  if (on === "every-node") return [];
  const count = replicas ?? 1;
  const kept = slots
    .map(({ attributes }) => attributes.node)
    .filter((node) => graph.get("Node", node)?.attributes.state === "down");
  const placed = slots.length - kept.length;
  if (placed >= count) return [];
  const against = graph
    .list("Node")
    .filter(({ id }) => !isWantedOn(graph, deployment.id, id))
    .flatMap(({ id }) => {
      const conditions = conditionsOn({ graph, deployment, node: id });
      const failing = conditions.filter(({ holds, isHard }) => isHard && !holds);
      return failing.find(({ name }) => name !== "placed")?.detail ?? [];
    });
  const named = against.slice(0, nodesNamedMax);
  const others = against.length - named.length;
  return [
    `${placed} of ${count} on nodes that are up`,
    ...(kept.length === 0 ? [] : [`its place on ${kept.join(", ")} is kept`]),
    ...(kept.length + named.length === 0 ? ["there is no further node"] : named),
    ...(others === 0 ? [] : [`${others} further nodes do not fit either`]),
  ];
}

/** What a slot waits for that is wanted on a node that is up and not started all the same, with the slot's name. */
export function reasonToWait(
  context: Context,
  slot: Resource<"ServiceName"> | undefined,
): readonly string[] {
  if (slot === undefined) return [];
  const { graph } = context;
  const { node, halted, broken } = slot.attributes;
  if (graph.get("Node", node)?.attributes.state !== "up") return [];
  if (halted === true || broken !== undefined) return [];
  const [instance] = graph.in(keyOf("ServiceName", slot.id), "holds", "ServiceInstance");
  const state = instance?.attributes.state;
  if (state !== undefined && (isLive(state) || state === "unknown")) return [];
  const reason = whyNotNow(context, slot.id);
  return reason === undefined ? [] : [`${slot.id} ${reason}`];
}
