import { events, type Json, keyOf, type Resource } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { isTripped, nodePolicy } from "./breaker.ts";
import { bounded, type Context } from "./context.ts";
import { leasedOn, leaseEndsInMs, overKey } from "./exclusive.ts";
import { sendHook } from "./hook-command.ts";
import { isInMaintenance, lossSettledKey, modeOf } from "./node-mode.ts";
import { endInstance, isAsked, reconcileSlot } from "./slot.ts";

/** After an attempt is it time for the next when so much of the interval has passed: timers are not exact. */
const intervalShare = 0.9;
/** Beyond the fence command's own deadline: the way to the node that runs it and back. */
const answerMs = 10_000;

/** The last attempt to make sure of a lost node. */
interface Fence {
  /** Of the node, at its loss. */
  readonly incarnation: number;
  /** The attempt, and the node that runs it. */
  readonly hook: string;
  readonly runner: string;
  /** Log time, ms. */
  readonly at: number;
  readonly isDone: boolean;
}

/**
 * Rules on exclusive services of nodes that are lost: an instance is given up when its lease is over, and, where the
 * deployment says so, the fence command has confirmed (rfc/0008).
 *
 * They act before the rules on nodes: what those make unknown is seen here as it was.
 */
export const exclusiveRules: Readonly<Record<string, Rule>> = {
  "lease-of-lost-node": on(events.NodeLost).do((context) => {
    const { node, incarnation, leaseAgeMs } = context.event;
    armLeases(context, node, incarnation, leaseAgeMs);
  }),

  "lease-of-left-node": on(events.NodeLeft).do((context) => {
    const { node, incarnation } = context.event;
    // It says so before it stops what runs there.
    armLeases(context, node, incarnation, undefined);
  }),

  "lease-of-joined-node": on(events.NodeJoined).do((context) => {
    const { node, incarnation } = context.event;
    const known = context.graph.get("Node", node);
    if (known === undefined || known.attributes.incarnation > incarnation) return;
    // One that was removed does not come back before it is resumed.
    if (modeOf(known) === "decommissioned") return;
    for (const { attributes } of leasedOn(context.graph, node)) {
      context.timer.cancel(leaseKey(attributes.service));
      context.memory.set(overKey(attributes.service), null);
    }
    forgetFence(context, node);
  }),

  "lease-ended": on(events.LeaseEnded).do((context) => {
    const { service, node, incarnation } = context.event;
    const known = context.graph.get("Node", node)?.attributes;
    const isBack =
      known !== undefined && (known.state !== "down" || known.incarnation !== incarnation);
    if (isBack) {
      context.why(`ignored: ${node} is back`);
      return;
    }
    const instance = unknownOn(context, service, node);
    if (instance === undefined) {
      // A node that leaves tells how that ended; the place was still bound when it said that it leaves.
      context.why(`nothing of ${service} is unknown on ${node}`);
      settleSoon(context);
      return;
    }
    context.memory.set(overKey(service), instance.id);
    giveUp(context, instance, "when it is due");
  }),

  "fence-ended": on(events.HookEnded).do((context) => {
    const { hook, target, instance, outcome, detail } = context.event;
    const fence = fenceOf(context, target);
    if (hook !== "fence" || fence?.hook !== instance) return;
    if (outcome === "done") {
      setFence(context, target, { ...fence, isDone: true });
      context.why(`${target} is fenced`);
    }
    const said = detail === undefined ? "" : `: ${detail}`;
    const reason = `the fence command on ${fence.runner} ended as ${outcome}${said}`;
    for (const one of overOn(context, target)) {
      if (outcome === "done") giveUp(context, one, "when it is due");
      else
        tellWhy(
          context,
          one,
          `${reason}; it is tried again, or at once by: halonctl service start ${one.attributes.service}`,
        );
    }
  }),

  "fence-again": on(events.ServiceStartRequested).do((context) => {
    const { service } = context.event;
    for (const instance of context.graph.list("ServiceInstance", { service, state: "unknown" })) {
      if (context.memory.get(overKey(service)) === instance.id) giveUp(context, instance, "now");
    }
  }),

  "fence-after-breaker": on(events.BreakerReset).do((context) => {
    for (const node of context.graph.list("Node", { state: "down" })) {
      for (const instance of overOn(context, node.id)) giveUp(context, instance, "now");
    }
  }),
};

/** A person says that nothing runs on the node any more: what had to wait for that alone goes on. */
export function settleRemoved(context: Context, node: string): void {
  const { graph } = context;
  for (const instance of overOn(context, node)) giveUp(context, instance, "now");
  for (const deployment of graph.list("Deployment")) {
    if (deployment.attributes.exclusive === undefined) continue;
    for (const slot of graph.out(keyOf("Deployment", deployment.id), "places", "ServiceName"))
      reconcileSlot(context, slot.id);
  }
}

function leaseKey(service: string): string {
  return `lease/${service}`;
}

/** The node is about to be marked down: from then on nothing is granted to it. */
function armLeases(
  context: Context,
  node: string,
  incarnation: number,
  leaseAgeMs: number | undefined,
): void {
  const known = context.graph.get("Node", node)?.attributes;
  if (known === undefined || known.state === "down" || known.incarnation !== incarnation) return;
  const delayMs = leaseEndsInMs(leaseAgeMs);
  for (const { id, attributes } of leasedOn(context.graph, node)) {
    const { service } = attributes;
    context.memory.set(overKey(service), null);
    context.timer.after(leaseKey(service), delayMs, events.LeaseEnded, {
      service,
      node,
      incarnation,
    });
    context.why(`${id} may run for another ${delayMs} ms`);
  }
}

function unknownOn(
  { graph }: Context,
  service: string,
  node: string,
): Resource<"ServiceInstance"> | undefined {
  return graph
    .list("ServiceInstance", { service })
    .find(
      ({ attributes }) =>
        attributes.node === node &&
        attributes.state === "unknown" &&
        attributes.token !== undefined,
    );
}

/** Instances on the lost node whose leases are over, and which are not given up yet. */
function overOn(context: Context, node: string): readonly Resource<"ServiceInstance">[] {
  return leasedOn(context.graph, node).filter(
    ({ id, attributes }) =>
      attributes.state === "unknown" && context.memory.get(overKey(attributes.service)) === id,
  );
}

/** Its lease is over: nothing of it runs, unless the deployment wants that confirmed. */
function giveUp(
  context: Context,
  instance: Resource<"ServiceInstance">,
  when: "now" | "when it is due",
): void {
  const { service, node, slot } = instance.attributes;
  const wait = fenceFirst(context, instance, when);
  if (wait !== undefined) {
    tellWhy(context, instance, wait);
    return;
  }
  context.timer.cancel(leaseKey(service));
  context.memory.set(overKey(service), null);
  endInstance(context, instance, "failed", `${node} is down, and its lease is over`);
  context.why(`${instance.id} cannot run any more`);
  reconcileSlot(context, slot);
  settleSoon(context);
}

/** Places all, once for all whose leases end at this moment; what waits for the end of a loss goes on then. */
function settleSoon(context: Context): void {
  if (!context.timer.pending(lossSettledKey))
    context.timer.after(lossSettledKey, 0, events.NodeLossSettled, {});
}

/** Why the instance is not given up although its lease is over; undefined when it is. */
function fenceFirst(
  context: Context,
  instance: Resource<"ServiceInstance">,
  when: "now" | "when it is due",
): string | undefined {
  const { service, node } = instance.attributes;
  const { graph } = context;
  const place = graph.get("Node", node);
  const deployment = graph.get("Deployment", service)?.attributes;
  if (deployment?.fence !== "command") return undefined;
  if (place === undefined || modeOf(place) === "decommissioned") return undefined;
  const { incarnation } = place.attributes;
  const fence = fenceOf(context, node);
  if (fence?.isDone === true && fence.incarnation === incarnation) return undefined;
  const policy = nodePolicy(graph);
  const everyMs = Math.max(policy.recoverEveryMs, (policy.fence?.timeoutMs ?? 0) + answerMs);
  context.timer.after(leaseKey(service), everyMs, events.LeaseEnded, {
    service,
    node,
    incarnation,
  });
  if (policy.fence === undefined)
    return "it waits for a fence command, and the cluster file has none";
  if (deployment.onNodeLoss === "wait") return "it waits for its node";
  if (isInMaintenance(context, node)) return `${node} is in maintenance`;
  if (isTripped(graph)) return "too many nodes are lost: see halonctl breaker show";
  if (fence !== undefined && isAsked(context, fence.runner, fence.hook, "RunHook"))
    return `${fence.runner} runs the fence command`;
  const isDue = fence === undefined || fence.incarnation !== incarnation;
  const isLongAgo = context.now - (fence?.at ?? 0) >= everyMs * intervalShare;
  if (when !== "now" && !isDue && !isLongAgo)
    return instance.attributes.reason ?? "it waits for the fence command";
  const sent = sendHook(context, "fence", node, policy.fence);
  if (sent === undefined) return "no node is up and active to run the fence command";
  const { instance: hook, node: runner } = sent;
  setFence(context, node, { incarnation, hook, runner, at: context.now, isDone: false });
  return `${runner} runs the fence command`;
}

function tellWhy(context: Context, instance: Resource<"ServiceInstance">, why: string): void {
  const { node } = instance.attributes;
  const reason = why.startsWith(`${node} is down`) ? why : `${node} is down; ${why}`;
  context.why(`${instance.id} stays unknown: ${why}`);
  if (instance.attributes.reason === reason) return;
  context.update.patch("ServiceInstance", instance.id, { reason: bounded(reason) });
}

function fenceOf(context: Context, node: string): Fence | undefined {
  return context.memory.get(`fence/${node}`) as Fence | undefined;
}

function setFence(context: Context, node: string, fence: Fence): void {
  context.memory.set(`fence/${node}`, fence as unknown as Json);
}

/** The node is there: it must not be fenced for a loss of the past. */
function forgetFence(context: Context, node: string): void {
  const fence = fenceOf(context, node);
  if (fence === undefined) return;
  context.command.cancel(fence.runner, fence.hook);
  context.memory.set(`fence/${node}`, null);
}
