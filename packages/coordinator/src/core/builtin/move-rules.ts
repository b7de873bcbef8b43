import { type DataOf, events, type Resource, slotId } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { conditionsOn, isWantedOn } from "./conditions.ts";
import type { Context } from "./context.ts";
import { beginMove, endMove, moveOf } from "./moving.ts";
import { beginOperation, failOperation } from "./operation.ts";
import { placeAll, unplace } from "./placement.ts";

type Request = DataOf<typeof events.ServiceMoveRequested>;

/**
 * Rules on services that are to leave one node for another.
 *
 * The new place runs before the old one ends, as in a drain; of an exclusive service the old one ends first. What breaks
 * in its new place stays in the old one.
 */
export const moveRules: Readonly<Record<string, Rule>> = {
  "move-requested": on(events.ServiceMoveRequested).do((context) => {
    const { operation, service, from, to, reason } = context.event;
    const deployment = context.graph.get("Deployment", service);
    const target = `${service}@${from}`;
    const obstacle =
      deployment === undefined
        ? `there is no service ${service}; see \`halonctl service list\``
        : obstacleTo(context, deployment, context.event);
    if (obstacle !== undefined) {
      failOperation(context, operation, "move", target, obstacle);
      context.why(`refused: ${obstacle}`);
      return;
    }
    const before = placesOf(context, service);
    beginMove(context, service, { from, to, reason: reason ?? "a person asked for it" });
    placeAll(context);
    const added = placesOf(context, service).filter((node) => !before.includes(node));
    // Where it went is its own place now; were that lost, any other would do.
    if (moveOf(context, service) !== undefined)
      beginMove(context, service, { from, reason: reason ?? "a person asked for it" });
    const waiting = added.map((node) => `${slotId(service, node)}#0`);
    beginOperation(context, operation, "move", target, waiting);
  }),

  "move-is-off-when-broken": on(events.ServiceBroken).do((context) => {
    const { service, node } = context.event;
    const move = moveOf(context, service);
    if (move === undefined || node === move.from) return;
    if (context.graph.get("Deployment", service)?.attributes.exclusive !== undefined) return;
    endMove(context, service, move.from);
    unplace(context, service, slotId(service, node));
    context.why(`${service} stays on ${move.from}: it does not run on ${node}`);
  }),
};

function placesOf({ graph }: Context, service: string): readonly string[] {
  return graph
    .out(`Deployment/${service}`, "places", "ServiceName")
    .map(({ attributes }) => attributes.node);
}

/** Why the service cannot leave the node for another; undefined when it can. */
function obstacleTo(
  context: Context,
  deployment: Resource<"Deployment">,
  { service, from, to }: Request,
): string | undefined {
  const { graph } = context;
  if (!isWantedOn(graph, service, from)) return `${service} is not wanted on ${from}`;
  const move = moveOf(context, service);
  if (move !== undefined) return `${service} is being moved off ${move.from} already`;
  if (deployment.attributes.on === "every-node") return `${service} is wanted on every node`;
  const nodes = to === undefined ? graph.list("Node").map(({ id }) => id) : [to];
  const reasons = nodes
    .filter((node) => node !== from)
    .map((node) => flawOf(context, deployment, node));
  if (reasons.includes(undefined)) return undefined;
  return `no other node may have ${service}${reasons.length === 0 ? "" : `: ${reasons.join("; ")}`}`;
}

/** Why the node may not have the service; undefined when it may. */
function flawOf(
  { graph }: Context,
  deployment: Resource<"Deployment">,
  node: string,
): string | undefined {
  if (isWantedOn(graph, deployment.id, node)) return `it is wanted on ${node} already`;
  return conditionsOn({ graph, deployment, node }).find(
    ({ name, holds, isHard }) => isHard && !holds && name !== "placed" && name !== "name",
  )?.detail;
}
