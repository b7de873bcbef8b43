/** Restarts a service, one place after another, as long as each gets well. */
import {
  defineRules,
  type EffectContext,
  events,
  type RuleGraph,
  statechart,
  z,
} from "@halon/rules";
import { Time } from "./duration.ts";
import {
  at,
  type Context,
  heard,
  type Place,
  Request,
  RollPlaceGone,
  RollPlanned,
  RollStopped,
  roller,
} from "./roll.ts";

const Options = z.strictObject({
  /** Places that are restarted at once. */
  batch: z.number().int().min(1).max(1_000).default(1),
  /** Each must run, and its check be ok, by then. */
  within: Time.default("2m"),
  /** Until its check is ok it is asked again so often. */
  checkEvery: Time.default("2s"),
  /** All of a batch must stay well for so long. */
  steady: Time.default("5s"),
  /** When it has stopped, a person may resume it for so long. */
  hold: Time.default("1d"),
});
/** The instances that are to be restarted: those that run, where nobody works on the node. */
function placesOf(graph: RuleGraph, { service, done }: Context): readonly Place[] {
  return graph
    .list("ServiceInstance", { service })
    .filter(
      ({ id, attributes: { state } }) =>
        (state === "running" || state === "degraded") && graph.wants(id),
    )
    .map(({ id, attributes: { node } }) => ({ instance: id, node }))
    .filter(({ node }) => !done.includes(node) && isInUse(graph, node));
}

function isInUse(graph: RuleGraph, name: string): boolean {
  const node = graph.get("Node", name)?.attributes;
  return node?.state === "up" && node.mode === undefined;
}

type Effect = EffectContext<ReturnType<typeof roller>, unknown>;

function plan({ context, graph, publish, why }: Effect): void {
  const { service } = context;
  const isKnown = graph.get("Deployment", service) !== undefined;
  if (!isKnown) why(`there is no service ${service}; see halonctl service list`);
  publish(RollPlanned, { service, isKnown, places: [...placesOf(graph, context)] });
}

function restart({ context, graph, publish, envelope }: Effect): void {
  const { service, reason } = context;
  for (const { node } of context.doing) {
    const slot = graph.get("ServiceName", `${service}@${node}`);
    const isWanted =
      slot !== undefined && graph.out(`ServiceName/${slot.id}`, "wants", "Service").length > 0;
    const operation = `${envelope.id}-restart-${node}`;
    if (isWanted) publish(events.ServiceRestartRequested, { operation, service, on: node, reason });
    else publish(RollPlaceGone, { service, node });
  }
}

function check({ context, event, publish, envelope }: Effect): void {
  const { service } = context;
  const only = event.type === "ServiceStarted" ? event.data.node : undefined;
  for (const { node, state } of context.doing) {
    if (state !== "started" || node !== (only ?? node)) continue;
    const operation = `${envelope.id}-check-${node}`;
    publish(events.ServiceCheckRequested, { operation, service, on: node });
  }
}

function report({ context, alert, publish }: Effect): void {
  const { service, problem: reason, done, doing, waiting } = context;
  const left = [...doing, ...waiting].map(({ node }) => node);
  publish(RollStopped, { service, reason, done: [...done], left });
  const text = `the rolling restart of ${service} has stopped: ${reason}; left: ${left.join(", ")}`;
  alert.raise(service, { severity: "warning", text });
}

export default defineRules(
  (options) => ({
    roll: statechart({
      on: heard,
      requests: { schema: Request, by: at },
      machine: roller(options),
      effects: {
        plan,
        restart,
        check,
        report,
        clear: ({ context, alert }) => alert.clear(context.service, "a person has decided"),
      },
      deadline: "30d",
    }),
  }),
  { options: Options, events: [RollStopped] },
);
