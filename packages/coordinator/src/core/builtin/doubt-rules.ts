import { compareText, doubtText, events, type Resource } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { bounded, type Context } from "./context.ts";
import { isDoubtedByAll, watchersOf, wellState } from "./instance-watch.ts";
import { isInMaintenance } from "./node-mode.ts";
import { manifestOf, reconcileSlot, stopInstance } from "./slot.ts";

type Instance = Resource<"ServiceInstance">;

/** The way of a check to the node and back. */
const answerDeadlineMs = 10_000;

/**
 * Rules on what supervisors of other nodes say of an instance.
 *
 * A doubt is kept in the graph and moves nothing: the way between two nodes may be broken and the service well. Only its
 * own node's answer, or that it gives none, ends an instance.
 */
export const doubtRules: Readonly<Record<string, Rule>> = {
  "instance-doubted": on(events.InstanceDoubted).do((context) => {
    const { by, reason } = context.event;
    const instance = watchedBy(context, context.event);
    if (instance === undefined) return;
    if (!runs(instance)) {
      context.why(`ignored: ${instance.id} is ${instance.attributes.state}`);
      return;
    }
    const known = instance.attributes.doubts ?? [];
    const { since = context.wallTime } = known.find((doubt) => doubt.by === by) ?? {};
    const others = known.filter((doubt) => doubt.by !== by);
    const doubts = [...others, { by, since, reason: bounded(reason) }];
    doubts.sort((a, b) => compareText(a.by, b.by));
    context.update.patch("ServiceInstance", instance.id, { doubts });
    context.why(`${instance.id} is ${doubtText([{ by, since, reason }])}`);
    settleDoubts(context, instance.id);
  }),

  "instance-trusted": on(events.InstanceTrusted).do((context) => {
    const { by } = context.event;
    const instance = watchedBy(context, context.event);
    const known = instance?.attributes.doubts ?? [];
    const doubts = known.filter((doubt) => doubt.by !== by);
    if (instance === undefined || doubts.length === known.length) return;
    context.update.patch("ServiceInstance", instance.id, {
      doubts: doubts.length === 0 ? undefined : doubts,
    });
    context.why(`${by} gets answers of ${instance.id} again`);
    settleDoubts(context, instance.id);
  }),

  "doubted-checked": on(events.ServiceChecked).do((context) => {
    const { instance: id, health } = context.event;
    const instance = context.graph.get("ServiceInstance", id);
    if (instance === undefined || (health !== "ok" && health !== "warn")) return;
    // What its own node finds unwell is degraded already, or is being ended there.
    if (instance.attributes.state !== "running" || !isDoubtedByAll(context, instance)) return;
    const well = wellState(context, instance);
    context.update.patch("ServiceInstance", id, well);
    context.why(`${id} runs on: ${well.reason}`);
  }),

  "doubted-not-checked": on(events.CommandExpired)
    .where(({ event }) => event.action === "CheckService")
    .do((context) => {
      const { node, instance: id } = context.event;
      const instance = context.graph.get("ServiceInstance", id);
      if (instance === undefined || !runs(instance) || !isDoubtedByAll(context, instance)) return;
      // A node that cannot be reached says nothing of its service.
      if (!isReachable(context, node)) return;
      const said = doubtText(instance.attributes.doubts ?? []);
      stopInstance(context, instance, bounded(`${said}; ${node} did not answer a check in time`));
      reconcileSlot(context, instance.attributes.slot);
    }),
};

/** Acts on who doubts the instance, after that or who watches it has changed. */
export function settleDoubts(context: Context, id: string): void {
  const instance = context.graph.get("ServiceInstance", id);
  if (instance === undefined || !runs(instance)) return;
  const { node, state, health, doubts = [] } = instance.attributes;
  if (!isDoubtedByAll(context, instance)) {
    // Its own node found it well all the time.
    if (state === "degraded" && health === "ok")
      context.update.patch("ServiceInstance", id, wellState(context, instance));
  } else if (isInMaintenance(context, node)) {
    context.why(`${node} is in maintenance: nothing is decided`);
  } else if (!isReachable(context, node)) {
    context.why(`${node} is not up: it is not asked`);
  } else askOwnNode(context, instance, doubtText(doubts));
}

function askOwnNode(context: Context, instance: Instance, doubt: string): void {
  const { node, service, type } = instance.attributes;
  const isAsked = context.command
    .outstanding(node)
    .some(
      ({ action }) =>
        action.type === "CheckService" &&
        action.instance === instance.id &&
        action.doubt !== undefined,
    );
  if (isAsked) return;
  const checkTimeoutMs = manifestOf(context, type)?.checkTimeoutMs ?? 0;
  context.command.send(
    node,
    { type: "CheckService", service, instance: instance.id, doubt: bounded(doubt) },
    { deadlineMs: checkTimeoutMs + answerDeadlineMs },
  );
  context.why(`all who watch ${instance.id} from other nodes doubt it: ${node} checks it`);
}

/** The instance, if the node's supervisor is set over it; what others say is of the past. */
function watchedBy(
  context: Context,
  { instance: id, by }: { readonly instance: string; readonly by: string },
): Instance | undefined {
  const instance = context.graph.get("ServiceInstance", id);
  if (instance === undefined) {
    context.why(`ignored: ${id} is not a current instance`);
    return undefined;
  }
  if (watchersOf(context, instance).includes(by)) return instance;
  context.why(`ignored: ${by} does not watch ${id}`);
  return undefined;
}

function runs({ attributes }: Instance): boolean {
  return attributes.state === "running" || attributes.state === "degraded";
}

function isReachable({ graph }: Context, node: string): boolean {
  return graph.get("Node", node)?.attributes.state === "up";
}
