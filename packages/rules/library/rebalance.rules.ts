/** Evens out the load of nodes: moves one service at a time, slowly. */
import {
  type DoContext,
  defineEvent,
  defineRules,
  events,
  on,
  type RuleGraph,
  z,
} from "@halon/rules";
import { msOf, Time } from "./duration.ts";
import { Name } from "./names.ts";

const Options = z.strictObject({
  /** Nodes whose numbers of services differ by more are evened out. */
  difference: z.number().int().min(1).max(10_000).default(2),
  /** Between two moves, and after anything that changes loads. */
  every: Time.default("1m"),
  /** Services that never move. */
  keep: z.array(Name).max(10_000).default([]),
  /** Whether services that run once in the cluster move too: they end before they start elsewhere. */
  exclusive: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

const RebalanceDue = defineEvent({
  type: "RebalanceDue",
  sentBy: "rule",
  schema: z.strictObject({}),
});

const operationMark = "-rebalance-";

export default defineRules(
  (options) => {
    const lookLater = ({ timer }: Pick<DoContext<unknown>, "timer">): void => {
      if (!timer.pending("look")) timer.after("look", msOf(options.every), RebalanceDue, {});
    };
    return {
      // What changes loads, or ends what kept them as they are.
      joined: on(events.NodeJoined).do(lookLater),
      trusted: on(events.NodeTrusted).do(lookLater),
      resumed: on(events.NodeResumeRequested).do(lookLater),
      maintained: on(events.NodeMaintenanceRequested).do(lookLater),
      applied: on(events.ClusterApplied).do(lookLater),
      moved: on(events.ServiceMoved).do(lookLater),
      reset: on(events.BreakerReset).do(lookLater),

      look: on(RebalanceDue).do((context) => {
        const { graph, memory, envelope, publish, why } = context;
        const nodes = loadsOf(graph);
        const [least] = nodes;
        const most = nodes.at(-1);
        if (least === undefined || most === undefined) return;
        const isEven = most.load - least.load <= options.difference;
        if (isEven) {
          memory.set("refused", null);
          return why("the loads are even enough");
        }
        const obstacle = obstacleTo(graph);
        if (obstacle !== undefined) {
          why(`nothing moves: ${obstacle}`);
          return lookLater(context);
        }
        const refused = (memory.get("refused") ?? []) as readonly string[];
        const service = movable(graph, most.node, least.node, options).find(
          (each) => !refused.includes(`${each}>${least.node}`),
        );
        if (service === undefined) {
          memory.set("refused", null);
          return why(`nothing of ${most.node} may move to ${least.node}`);
        }
        const operation = `${envelope.id}${operationMark}${service}>${least.node}`;
        const reason = `${most.node} has ${most.load} services, ${least.node} has ${least.load}`;
        const move = { operation, service, from: most.node, to: least.node, reason };
        publish(events.ServiceMoveRequested, move);
        lookLater(context);
      }),

      /** Conditions of the service may forbid what the loads ask for: another one is tried. */
      refused: on(events.OperationEnded)
        .where(({ event }) => event.state === "failed" && event.operation.includes(operationMark))
        .do(({ event, memory }) => {
          const [, move = ""] = event.operation.split(operationMark);
          const known = (memory.get("refused") ?? []) as readonly string[];
          memory.set("refused", [...known, move].slice(-1_000));
        }),
    };
  },
  { options: Options, events: [RebalanceDue] },
);

/** Nodes that take services, with how many are wanted there; the one with the fewest first. */
function loadsOf(graph: RuleGraph): readonly { readonly node: string; readonly load: number }[] {
  const open = graph
    .list("Node", { state: "up" })
    .filter(({ attributes }) => attributes.mode === undefined);
  const loads = new Map(open.map(({ id }) => [id, 0]));
  for (const { id } of graph.list("Deployment"))
    for (const { attributes } of graph.out(`Deployment/${id}`, "places", "ServiceName")) {
      const load = loads.get(attributes.node);
      if (load !== undefined) loads.set(attributes.node, load + 1);
    }
  return [...loads]
    .map(([node, load]) => ({ node, load }))
    .sort((a, b) => a.load - b.load || (a.node < b.node ? -1 : 1));
}

/** Why nothing is moved now: people, or what is under way, come first. */
function obstacleTo(graph: RuleGraph): string | undefined {
  if (graph.list("Cluster")[0]?.attributes.breaker !== undefined) return "the breaker is tripped";
  const nodes = graph.list("Node");
  const draining = nodes.find(({ attributes }) => attributes.mode === "draining");
  const isEmptied =
    draining !== undefined &&
    graph
      .list("ServiceInstance", { node: draining.id })
      .some(({ attributes }) => isThere(attributes.state) && isPlaced(graph, attributes.service));
  if (isEmptied) return `${draining.id} is being drained`;
  const doubtful = nodes.find(({ attributes }) => attributes.state === "suspect");
  if (doubtful !== undefined) return `${doubtful.id} is suspect`;
  const underWay = graph
    .list("ServiceInstance")
    .find(({ attributes }) => attributes.state === "starting" || attributes.state === "stopping");
  return underWay === undefined ? undefined : `${underWay.id} is ${underWay.attributes.state}`;
}

function isThere(state: string): boolean {
  return (
    state === "running" || state === "degraded" || state === "starting" || state === "stopping"
  );
}

function isPlaced(graph: RuleGraph, service: string): boolean {
  return graph.get("Deployment", service) !== undefined;
}

/** Services that run well on the one node, and might be on the other; the placement has the last word. */
function movable(graph: RuleGraph, from: string, to: string, options: Options): readonly string[] {
  return graph
    .list("ServiceInstance", { node: from })
    .filter(({ id, attributes }) => attributes.state === "running" && graph.wants(id))
    .map(({ attributes }) => attributes.service)
    .filter((service) => {
      const deployment = graph.get("Deployment", service)?.attributes;
      if (deployment === undefined || options.keep.includes(service)) return false;
      if (deployment.exclusive !== undefined && !options.exclusive) return false;
      if (deployment.on === "every-node") return false;
      return !graph.related(`Deployment/${service}`, "places", `ServiceName/${service}@${to}`);
    });
}
