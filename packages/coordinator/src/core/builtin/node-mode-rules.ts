import { type AttributesOf, events, keyOf, type Resource } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { forgetLoss } from "./breaker-rules.ts";
import { endEffects } from "./call-rules.ts";
import { type Context, isLive } from "./context.ts";
import { settleRemoved } from "./exclusive-rules.ts";
import { moveOf } from "./moving.ts";
import { modeOf } from "./node-mode.ts";
import { beginRecovery, cancelRecovery } from "./node-recovery.ts";
import { beginOperation, endOperation, failOperation } from "./operation.ts";
import { isPart } from "./part.ts";
import { removeParts } from "./part-rules.ts";
import { place, placeAll } from "./placement.ts";
import { removeProcessor } from "./processor-rules.ts";
import { reconcileSlot, removeInstance } from "./slot.ts";
import { spreadWatch } from "./supervision-rules.ts";

type Action = "drain" | "resume" | "maintenance" | "remove";

/** Set while a node that was lost is not back; a node that left by itself has none. */
export function lostKey(node: string): string {
  return `lost/${node}`;
}

/** Rules on what people decide about nodes. */
export const nodeModeRules: Readonly<Record<string, Rule>> = {
  "drain-requested": on(events.NodeDrainRequested).do((context) => {
    const { operation, node: name, reason } = context.event;
    const node = known(context, "drain", operation, name);
    if (node === undefined) return;
    endRecoveryOfMaintenance(context, node);
    setMode(context, node, "draining", reason);
    const running = liveOn(context, name).map(({ id }) => id);
    beginOperation(context, operation, "drain", name, running);
    placeAll(context);
    context.why(`${name} is drained${because(reason)}`);
  }),

  "resume-requested": on(events.NodeResumeRequested).do((context) => {
    const { operation, node: name, reason } = context.event;
    const node = context.graph.get("Node", name);
    if (node === undefined) return refuse(context, "resume", operation, name, stranger(name));
    const mode = modeOf(node);
    endMode(context, node, "resumed");
    beginOperation(context, operation, "resume", name, []);
    const back = mode === "decommissioned" ? "may join again" : "takes services again";
    context.why(`${name} ${back}${because(reason)}`);
  }),

  "maintenance-requested": on(events.NodeMaintenanceRequested).do((context) => {
    const { operation, node: name, on: isOn, reason } = context.event;
    const node = known(context, "maintenance", operation, name);
    if (node === undefined) return;
    beginOperation(context, operation, "maintenance", name, []);
    if (isOn) {
      setMode(context, node, "maintenance", reason);
      cancelRecovery(context, name);
      forgetLoss(context, name);
      context.why(`nothing is decided about ${name} any more${because(reason)}`);
    } else if (modeOf(node) === "maintenance") {
      endMode(context, node, "taken into maintenance and out of it");
      context.why(`the maintenance of ${name} is over${because(reason)}`);
    } else {
      context.why(`${name} is not in maintenance`);
    }
  }),

  "remove-requested": on(events.NodeRemoveRequested).do((context) => {
    const { operation, node: name, reason } = context.event;
    const node = context.graph.get("Node", name);
    const obstacle = node === undefined ? stranger(name) : obstacleTo(context, node);
    if (node === undefined || obstacle !== undefined)
      return refuse(context, "remove", operation, name, obstacle ?? "");
    decommission(context, node, reason);
    beginOperation(context, operation, "remove", name, []);
    placeAll(context);
    settleRemoved(context, name);
    context.why(`${name} is removed${because(reason)}`);
  }),

  "drain-goes-on-when-stopped": on(events.ServiceStopped).do((context) => goOnDraining(context)),
  "drain-goes-on-when-broken": on(events.ServiceBroken).do((context) => goOnDraining(context)),
};

/** The operations that wait for the node to be empty have failed. */
export function failDrains(context: Context, node: string, reason: string): void {
  for (const operation of context.graph.list("Operation", { state: "running" })) {
    const { action, target } = operation.attributes;
    if (action === "drain" && target === node)
      endOperation(context, operation.id, "failed", reason);
  }
}

/** What replaces a service of a draining node may run now: then the old one is stopped. */
function goOnDraining(context: Context & { readonly event: { readonly service: string } }): void {
  const { graph, event } = context;
  const deployment = graph.get("Deployment", event.service);
  if (deployment === undefined) return;
  const isOnDraining = graph
    .out(keyOf("Deployment", deployment.id), "places", "ServiceName")
    .some(({ attributes }) => graph.get("Node", attributes.node)?.attributes.mode === "draining");
  if (isOnDraining || moveOf(context, deployment.id) !== undefined) place(context, deployment);
}

/** The node, if it is one of the cluster; else the operation has failed. */
function known(
  context: Context,
  action: Action,
  operation: string,
  name: string,
): Resource<"Node"> | undefined {
  const node = context.graph.get("Node", name);
  if (node === undefined) refuse(context, action, operation, name, stranger(name));
  else if (modeOf(node) === "decommissioned")
    refuse(
      context,
      action,
      operation,
      name,
      `${name} was removed; take it back with \`halonctl node resume ${name}\` first`,
    );
  else return node;
  return undefined;
}

function refuse(
  context: Context,
  action: Action,
  operation: string,
  name: string,
  reason: string,
): void {
  failOperation(context, operation, action, name, reason);
  context.why(`refused: ${reason}`);
}

function stranger(name: string): string {
  return `there is no node ${name}; see \`halonctl node list\``;
}

function because(reason: string | undefined): string {
  return reason === undefined ? "" : `: ${reason}`;
}

function setMode(
  context: Context,
  node: Resource<"Node">,
  mode: NonNullable<AttributesOf<"Node">["mode"]>,
  reason: string | undefined,
): void {
  if (mode !== "draining")
    failDrains(context, node.id, `${node.id} was not empty when its mode became ${mode}`);
  const modeSince = context.wallTime;
  context.update.patch("Node", node.id, { mode, modeSince, modeReason: reason });
}

const active = { mode: undefined, modeSince: undefined, modeReason: undefined };

/** The node is active again: all that waited because of its mode is decided now. */
function endMode(context: Context, node: Resource<"Node">, how: string): void {
  failDrains(context, node.id, `${node.id} was not empty when it was ${how}`);
  endRecoveryOfMaintenance(context, node);
  context.update.patch("Node", node.id, active);
  placeAll(context);
  for (const slot of context.graph.list("ServiceName", { node: node.id }))
    reconcileSlot(context, slot.id);
}

/** Of a node that was lost during its maintenance nobody has tried to bring it back yet. */
function endRecoveryOfMaintenance(context: Context, node: Resource<"Node">): void {
  if (modeOf(node) !== "maintenance" || node.attributes.state !== "down") return;
  if (context.memory.get(lostKey(node.id)) === undefined) return;
  context.update.patch("Node", node.id, active);
  beginRecovery(context, node.id);
}

function obstacleTo(context: Context, node: Resource<"Node">): string | undefined {
  const { id: name } = node;
  const { address, role, state } = node.attributes;
  if (role === "tracking")
    return `${name} is a tracking node, and only satellites can be removed; take its member out of the agency first, with \`halonctl agency member remove ${address}\``;
  if (state === "down") return undefined;
  if (modeOf(node) !== "draining")
    return `${name} is ${state}; empty it with \`halonctl node drain ${name}\`, or stop its halond, first`;
  // What is unknown may run: the inventory of a node that has just come back is on its way.
  const [first] = [
    ...liveOn(context, name),
    ...context.graph.list("ServiceInstance", { node: name, state: "unknown" }),
  ];
  if (first === undefined) return undefined;
  return `${first.id} still is ${first.attributes.state} there; wait for the end of the drain`;
}

/** What runs on the node and is no part of Halon. */
function liveOn(context: Context, node: string): readonly Resource<"ServiceInstance">[] {
  return context.graph
    .list("ServiceInstance", { node })
    .filter(({ attributes }) => isLive(attributes.state) && !isPart(attributes.service));
}

function decommission(context: Context, node: Resource<"Node">, reason: string | undefined): void {
  const { id: name } = node;
  setMode(context, node, "decommissioned", reason);
  cancelRecovery(context, name);
  forgetLoss(context, name);
  context.memory.set(lostKey(name), null);
  endEffects(context, name, `${name} was removed from the cluster`);
  context.command.cancel(name);
  context.update.patch("Node", name, {
    state: "down",
    since: context.wallTime,
    reason: `a person removed it${because(reason)}`,
    evidence: undefined,
  });
  removeParts(context, name);
  removeProcessor(context, name);
  for (const instance of context.graph.list("ServiceInstance", { node: name })) {
    // Of an exclusive service it is not for a person to say that its lease is over.
    if (instance.attributes.token === undefined) removeInstance(context, instance);
  }
  spreadWatch(context, { came: false });
}
