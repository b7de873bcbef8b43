import {
  type Command,
  canonicalJson,
  compareCommandIds,
  events,
  type InventoryInstance,
  keyOf,
  type Resource,
  slotId,
} from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { isTripped } from "./breaker.ts";
import { forgetLoss, noteLoss } from "./breaker-rules.ts";
import { endEffects } from "./call-rules.ts";
import { type Context, isLive } from "./context.ts";
import { wellState } from "./instance-watch.ts";
import { lossSettledKey, modeOf } from "./node-mode.ts";
import { failDrains, lostKey } from "./node-mode-rules.ts";
import { beginRecovery, endRecovery } from "./node-recovery.ts";
import { failAnswers } from "./operation.ts";
import { isPart } from "./part.ts";
import { placeAll } from "./placement.ts";
import { restartKey } from "./restart-policy.ts";
import {
  endInstance,
  instanceOf,
  isAsked,
  reconcileSlot,
  removeInstance,
  sendStop,
} from "./slot.ts";
import { spreadWatch } from "./supervision-rules.ts";

/** Losses of one moment come in within this time; places are decided after it. */
const lossSettledMs = 300;

/** Rules on nodes that come, go and tell what runs on them. */
export const nodeRules: Readonly<Record<string, Rule>> = {
  "create-cluster": on(events.ClusterCreated).do(({ event, update, wallTime }) => {
    update.put("Cluster", event.cluster, { name: event.name, createdAt: wallTime });
  }),

  "node-joined": on(events.NodeJoined).do((context) => {
    const { event, graph, update } = context;
    const known = graph.get("Node", event.node);
    if (known !== undefined && known.attributes.incarnation > event.incarnation) {
      context.why(`ignored: ${event.node} has joined with a later incarnation already`);
      return;
    }
    if (known !== undefined && modeOf(known) === "decommissioned") {
      context.why(`ignored: ${event.node} was removed, and has not been resumed`);
      return;
    }
    const { node, address, role, incarnation, labels, version } = event;
    const { mode, modeSince, modeReason } = known?.attributes ?? {};
    if (known !== undefined) endRecovery(context, known);
    update.put("Node", node, {
      address,
      role,
      state: "up",
      incarnation,
      labels,
      version,
      since: context.wallTime,
      evidence: [`it joined with incarnation ${incarnation}, as ${address}`],
      ...(mode === undefined ? {} : { mode }),
      ...(modeSince === undefined ? {} : { modeSince }),
      ...(modeReason === undefined ? {} : { modeReason }),
    });
    enterHost(context, node, event.hostname);
    if (graph.get("Supervisor", node) === undefined) update.put("Supervisor", node, { node });
    update.relate(keyOf("Supervisor", node), "supervises", keyOf("Node", node));
    context.memory.set(lostKey(node), null);
    const isAsBefore =
      known?.attributes.state === "up" &&
      canonicalJson(known.attributes.labels) === canonicalJson(labels);
    if (!isAsBefore) context.memory.set(returnedKey(node), true);
    forgetLoss(context, node);
    if (known?.attributes.state !== "up") spreadWatch(context, { came: true });
    context.why(`${node} is up`);
  }),

  "node-inventory": on(events.NodeInventory).do((context) => {
    const { node, lastCommand, instances } = context.event;
    // One that was suspected since it joined tells no other inventory.
    const { state = "down" } = context.graph.get("Node", node)?.attributes ?? {};
    if (state === "down") {
      context.why(`ignored: ${node} has not joined`);
      return;
    }
    const ending = new Set(
      context.command
        .outstanding(node)
        .filter(isStop)
        .map(({ action }) => action.instance),
    );
    const isNews = compareInventory(context, node, lastCommand, instances);
    // Places first: what is wanted here again must not be stopped before. Not for each node that merely comes to a new
    // leader: to place all looks at every node for every deployment.
    if (isNews || context.memory.get(returnedKey(node)) !== undefined) placeAll(context);
    context.memory.set(returnedKey(node), null);
    for (const slot of context.graph.list("ServiceName", { node })) reconcileSlot(context, slot.id);
    for (const found of instances) {
      if (found.state !== "stopping" && !ending.has(found.instance))
        stopSurplus(context, node, found);
    }
  }),

  "node-suspected": on(events.NodeSuspected).do((context) => {
    const { node, incarnation, reason, evidence = [reason] } = context.event;
    const known = context.graph.get("Node", node)?.attributes;
    if (known === undefined || known.incarnation !== incarnation) return;
    if (known.state === "suspect") {
      context.update.patch("Node", node, { reason, evidence: [...evidence] });
      return;
    }
    if (known.state !== "up") return;
    const { wallTime: since } = context;
    context.update.patch("Node", node, {
      state: "suspect",
      since,
      reason,
      evidence: [...evidence],
    });
    context.why(`${node} is suspect: ${reason}`);
  }),

  "node-trusted": on(events.NodeTrusted).do((context) => {
    const { node, incarnation, reason, evidence = [reason] } = context.event;
    const known = context.graph.get("Node", node)?.attributes;
    if (known?.state !== "suspect" || known.incarnation !== incarnation) return;
    const { wallTime: since } = context;
    context.update.patch("Node", node, {
      state: "up",
      since,
      reason: undefined,
      evidence: [...evidence],
    });
    context.why(`${node} is up again: ${reason}`);
    // What was due while it was suspect has waited.
    placeAll(context);
    for (const slot of context.graph.list("ServiceName", { node })) reconcileSlot(context, slot.id);
  }),

  "node-lost": on(events.NodeLost).do((context) => {
    const { node, incarnation, reason, evidence = [reason] } = context.event;
    if (!markDown(context, { node, incarnation, reason, evidence })) return;
    context.memory.set(lostKey(node), true);
    if (context.graph.get("Node", node)?.attributes.mode !== "maintenance") noteLoss(context, node);
    beginRecovery(context, node);
    context.timer.after(lossSettledKey, lossSettledMs, events.NodeLossSettled, {});
  }),

  "node-left": on(events.NodeLeft).do((context) => {
    const { node, incarnation } = context.event;
    const reason = "it was stopped";
    if (!markDown(context, { node, incarnation, reason, evidence: ["it said that it stops"] }))
      return;
    spreadWatch(context, { came: false });
    placeAll(context);
  }),

  "node-loss-settled": on(events.NodeLossSettled).do((context) => {
    if (isTripped(context.graph)) context.why("nothing moves: the breaker is tripped");
    spreadWatch(context, { came: false });
    placeAll(context);
  }),
};

/** Set from the join of a node on which services may find other places than before, to its inventory. */
function returnedKey(node: string): string {
  return `returned/${node}`;
}

function enterHost(context: Context, node: string, hostname: string): void {
  const { graph, update } = context;
  const host = keyOf("Host", hostname);
  if (graph.get("Host", hostname) === undefined) update.put("Host", hostname, { hostname });
  const cluster = graph.list("Cluster")[0];
  if (cluster !== undefined) update.relate(keyOf("Cluster", cluster.id), "contains", host);
  for (const old of graph.in(keyOf("Node", node), "hosts", "Host")) {
    if (old.id !== hostname) update.unrelate(keyOf("Host", old.id), "hosts", keyOf("Node", node));
  }
  update.relate(host, "hosts", keyOf("Node", node));
}

interface Loss {
  readonly node: string;
  readonly incarnation: number;
  readonly reason: string;
  readonly evidence: readonly string[];
}

/** Marks the node down, and what ran there unknown; false when that is no news. */
function markDown(context: Context, { node, incarnation, reason, evidence }: Loss): boolean {
  const known = context.graph.get("Node", node);
  if (
    known === undefined ||
    known.attributes.state === "down" ||
    known.attributes.incarnation !== incarnation
  ) {
    context.why(`ignored: ${node} is down already, or has come back since`);
    return false;
  }
  const { wallTime: since } = context;
  context.update.patch("Node", node, { state: "down", since, reason, evidence: [...evidence] });
  endEffects(context, node, `${node} is down: ${reason}`);
  context.command.cancel(node);
  for (const instance of context.graph.list("ServiceInstance", { node })) {
    context.timer.cancel(restartKey(instance.attributes.slot));
    if (!isLive(instance.attributes.state)) continue;
    context.update.patch("ServiceInstance", instance.id, {
      state: "unknown",
      health: "unknown",
      since: context.wallTime,
      reason: `${node} is down: ${reason}`,
    });
    failAnswers(context, instance.id, `${node} is down: ${reason}`);
  }
  failDrains(context, node, `${node} was lost before it was empty: ${reason}`);
  context.why(`${node} is down: ${reason}`);
  return true;
}

/**
 * Makes the graph agree with what a node says runs on it, as of the last command that it has begun.
 *
 * An instance whose start is on its way is left alone: the inventory cannot know of it yet. True when one was found to be
 * in another state.
 */
function compareInventory(
  context: Context,
  node: string,
  lastCommand: string | null,
  instances: readonly InventoryInstance[],
): boolean {
  const starting = context.command
    .outstanding(node)
    .filter((command) => command.action.type === "StartService" && isAfter(command, lastCommand));
  const pending = new Set(starting.map(({ action }) => action.instance));
  const seen = new Map(instances.map((instance) => [instance.instance, instance]));
  const before = context.graph
    .list("ServiceInstance", { node })
    .filter(({ attributes }) => !isPart(attributes.service));
  for (const instance of before) {
    const found = seen.get(instance.id);
    if (found !== undefined) takeInventoryOf(context, instance, found);
    else if (!pending.has(instance.id)) takeAbsence(context, node, instance);
  }
  return before.some(({ id, attributes }) => {
    return context.graph.get("ServiceInstance", id)?.attributes.state !== attributes.state;
  });
}

function isStop({ action }: Command): boolean {
  return action.type === "StopService";
}

function isAfter(command: Command, lastCommand: string | null): boolean {
  return lastCommand === null || compareCommandIds(command.id, lastCommand) > 0;
}

function takeInventoryOf(
  context: Context,
  instance: Resource<"ServiceInstance">,
  found: InventoryInstance,
): void {
  if (instance.attributes.state === "stopping" && found.state !== "stopping") {
    if (isAsked(context, instance.attributes.node, instance.id, "StopService")) return;
  }
  const isWell = found.health === "ok" || found.health === "unknown";
  const { state, reason } =
    found.state !== "running"
      ? { state: found.state, reason: undefined }
      : isWell
        ? wellState(context, instance)
        : { state: "degraded" as const, reason: undefined };
  context.update.patch("ServiceInstance", instance.id, {
    state,
    health: found.health,
    osPid: found.osPid,
    ...(state === instance.attributes.state ? {} : { since: context.wallTime }),
    reason,
  });
}

function takeAbsence(context: Context, node: string, instance: Resource<"ServiceInstance">): void {
  const { state, slot } = instance.attributes;
  if (state === "stopping") {
    endInstance(context, instance, "stopped", undefined);
  } else if (isLive(state) || state === "unknown") {
    // Not a failure of the service: it is not counted, and it starts again at once where it is still wanted.
    endInstance(
      context,
      instance,
      "failed",
      `it did not run any more when ${node} reported what runs on it`,
    );
    context.why(`${instance.id} is gone`);
  }
  if (context.graph.out(keyOf("ServiceName", slot), "wants", "Service").length === 0) {
    const ended = context.graph.get("ServiceInstance", instance.id);
    if (ended !== undefined) removeInstance(context, ended);
  }
}

/** Stops what its slot does not hold or does not want, and says so. */
function stopSurplus(context: Context, node: string, found: InventoryInstance): void {
  const slot = slotId(found.service, node);
  const isHeld = instanceOf(context, slot)?.id === found.instance;
  if (isHeld && context.graph.out(keyOf("ServiceName", slot), "wants", "Service").length > 0)
    return;
  const reason = "it runs although it is not wanted there";
  sendStop(context, node, found.service, found.instance, found.type, reason);
  context.publish(events.SurplusStopped, {
    node,
    service: found.service,
    instance: found.instance,
    reason,
  });
  context.why(`stops ${found.instance}: ${reason}`);
}
