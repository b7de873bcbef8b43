import {
  type Command,
  compareCommandIds,
  events,
  type InventoryInstance,
  keyOf,
  type Resource,
  slotId,
} from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { type Context, isLive } from "./context.ts";
import { failAnswers } from "./operation.ts";
import { placeAll } from "./placement.ts";
import {
  endInstance,
  instanceOf,
  isAsked,
  reconcileSlot,
  removeInstance,
  restartKey,
  sendStop,
} from "./slot.ts";

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
    const { node, address, role, incarnation, labels, version } = event;
    update.put("Node", node, {
      address,
      role,
      state: "up",
      incarnation,
      labels,
      version,
      since: context.wallTime,
    });
    enterHost(context, node, event.hostname);
    update.put("Supervisor", node, { node });
    update.relate(keyOf("Supervisor", node), "supervises", keyOf("Node", node));
    context.why(`${node} is up`);
  }),

  "node-inventory": on(events.NodeInventory).do((context) => {
    const { node, lastCommand, instances } = context.event;
    if (context.graph.get("Node", node)?.attributes.state !== "up") {
      context.why(`ignored: ${node} has not joined`);
      return;
    }
    const ending = new Set(
      context.command
        .outstanding(node)
        .filter(isStop)
        .map(({ action }) => action.instance),
    );
    compareInventory(context, node, lastCommand, instances);
    // Places first: what is wanted here again must not be stopped before.
    placeAll(context);
    for (const slot of context.graph.list("ServiceName", { node })) reconcileSlot(context, slot.id);
    for (const found of instances) {
      if (found.state !== "stopping" && !ending.has(found.instance))
        stopSurplus(context, node, found);
    }
  }),

  "node-suspected": on(events.NodeSuspected).do((context) => {
    const { node, incarnation, reason } = context.event;
    const known = context.graph.get("Node", node);
    if (known?.attributes.state !== "up" || known.attributes.incarnation !== incarnation) return;
    context.update.patch("Node", node, { state: "suspect", since: context.wallTime, reason });
    context.why(`${node} is suspect: ${reason}`);
  }),

  "node-lost": on(events.NodeLost).do((context) => {
    const { node, incarnation, reason } = context.event;
    loseNode(context, node, incarnation, reason);
  }),

  "node-left": on(events.NodeLeft).do((context) => {
    const { node, incarnation } = context.event;
    loseNode(context, node, incarnation, "it was stopped");
  }),
};

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

/** Marks the node down; what ran there is unknown, and moves if its deployment says so. */
function loseNode(context: Context, node: string, incarnation: number, reason: string): void {
  const known = context.graph.get("Node", node);
  if (
    known === undefined ||
    known.attributes.state === "down" ||
    known.attributes.incarnation !== incarnation
  ) {
    context.why(`ignored: ${node} is down already, or has come back since`);
    return;
  }
  context.update.patch("Node", node, { state: "down", since: context.wallTime, reason });
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
  context.why(`${node} is down: ${reason}`);
  placeAll(context);
}

/**
 * Makes the graph agree with what a node says runs on it, as of the last command that it has begun.
 *
 * An instance whose start is on its way is left alone: the inventory cannot know of it yet.
 */
function compareInventory(
  context: Context,
  node: string,
  lastCommand: string | null,
  instances: readonly InventoryInstance[],
): void {
  const starting = context.command
    .outstanding(node)
    .filter((command) => command.action.type === "StartService" && isAfter(command, lastCommand));
  const pending = new Set(starting.map(({ action }) => action.instance));
  const seen = new Map(instances.map((instance) => [instance.instance, instance]));
  for (const instance of context.graph.list("ServiceInstance", { node })) {
    const found = seen.get(instance.id);
    if (found !== undefined) takeInventoryOf(context, instance, found);
    else if (!pending.has(instance.id)) takeAbsence(context, node, instance);
  }
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
  const state =
    found.state === "running" && found.health !== "ok" && found.health !== "unknown"
      ? "degraded"
      : found.state;
  context.update.patch("ServiceInstance", instance.id, {
    state,
    health: found.health,
    osPid: found.osPid,
    ...(state === instance.attributes.state ? {} : { since: context.wallTime }),
    reason: undefined,
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
