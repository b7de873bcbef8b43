import {
  type AttributesOf,
  events,
  type InternalPart,
  instanceId,
  keyOf,
  type Resource,
  RestartPolicy,
  slotId,
} from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import type { Context } from "./context.ts";
import { settleOperations } from "./operation.ts";
import { isPart } from "./part.ts";

/** Starts of a part that one start of its node has room for. */
const startsPerNode = 1_000;
/** A part has no code of its own. */
const noBlob = "0".repeat(64);
const standardRestart = RestartPolicy.parse({});
/** A node with one of these is of the tracking station. */
const trackingParts: readonly string[] = ["halon-agency", "halon-recovery"];

/** Rules on the parts of Halon itself, which are shown as services. */
export const partRules: Readonly<Record<string, Rule>> = {
  "part-inventory": on(events.NodeInventory).do((context) => {
    const { node: name, parts } = context.event;
    const node = context.graph.get("Node", name);
    if (parts === undefined || node === undefined || node.attributes.state === "down") return;
    for (const part of parts) takePart(context, node, part);
    const present = new Set<string>(parts.map(({ part }) => part));
    for (const slot of partSlots(context, name)) {
      if (!present.has(slot.attributes.service)) endPart(context, slot);
    }
    keepRole(context, name);
  }),

  "part-changed": on(events.PartChanged).do((context) => {
    const { node: name, part } = context.event;
    const node = context.graph.get("Node", name);
    if (node?.attributes.state !== "up" && node?.attributes.state !== "suspect") {
      context.why(`ignored: ${name} has not joined`);
      return;
    }
    takePart(context, node, part);
    keepRole(context, name);
  }),
};

/** Removes what the graph holds of the node's parts. */
export function removeParts(context: Context, node: string): void {
  for (const slot of partSlots(context, node)) {
    endPart(context, slot);
    context.update.remove("ServiceName", slot.id);
  }
}

function partSlots(context: Context, node: string): readonly Resource<"ServiceName">[] {
  return context.graph
    .list("ServiceName", { node })
    .filter(({ attributes }) => isPart(attributes.service));
}

/** Keeps type, slot and instance of the part as its node tells of it. */
function takePart(context: Context, node: Resource<"Node">, part: InternalPart): void {
  const { update } = context;
  const { part: service, start, state, health, detail } = part;
  const slot = slotId(service, node.id);
  const incarnation = node.attributes.incarnation * startsPerNode + start;
  const known = heldBy(context, slot);
  if (known !== undefined && known.attributes.incarnation > incarnation) {
    context.why(`ignored: ${known.id} has started since`);
    return;
  }
  if (known !== undefined && known.attributes.incarnation < incarnation) dropPart(context, known);
  putType(context, service, node.attributes.version);
  putSlot(context, slot, { service, node: node.id, incarnation, restarts: start - 1 });
  const id = instanceId(slot, incarnation);
  const before = context.graph.get("ServiceInstance", id)?.attributes;
  update.put("ServiceInstance", id, {
    service,
    type: service,
    version: node.attributes.version,
    node: node.id,
    slot,
    incarnation,
    state,
    health,
    since: before?.state === state ? before.since : context.wallTime,
    ...(detail === undefined ? {} : { reason: detail }),
  });
  relatePart(context, id, { service, node: node.id, slot });
  settleOperations(context, slot);
}

function putType(context: Context, service: string, version: string): void {
  const known = context.graph.get("Service", service);
  if (known?.attributes.version !== version) {
    context.update.put("Service", service, {
      serviceName: service,
      version,
      kind: "internal",
      blob: noBlob,
      restart: standardRestart,
      startTimeoutMs: 0,
      stopTimeoutMs: 0,
      checkEveryMs: 0,
      resourceKinds: [],
    });
  }
  const cluster = context.graph.list("Cluster")[0];
  if (cluster === undefined) return;
  context.update.relate(keyOf("Cluster", cluster.id), "contains", keyOf("Service", service));
}

function putSlot(context: Context, id: string, attributes: AttributesOf<"ServiceName">): void {
  context.update.put("ServiceName", id, attributes);
  context.update.relate(keyOf("Node", attributes.node), "provides", keyOf("ServiceName", id));
}

function relatePart(
  { graph, update }: Context,
  id: string,
  at: { readonly service: string; readonly node: string; readonly slot: string },
): void {
  const key = keyOf("ServiceInstance", id);
  update.relate(keyOf("Node", at.node), "runs", key);
  update.relate(key, "holds", keyOf("ServiceName", at.slot));
  update.relate(key, "instanceOf", keyOf("Service", at.service));
  if (graph.get("Supervisor", at.node) !== undefined)
    update.relate(keyOf("Supervisor", at.node), "monitors", key);
}

function endPart(context: Context, slot: Resource<"ServiceName">): void {
  const instance = heldBy(context, slot.id);
  if (instance === undefined) return;
  dropPart(context, instance);
  settleOperations(context, slot.id);
  context.why(`${instance.id} is gone`);
}

function dropPart(context: Context, instance: Resource<"ServiceInstance">): void {
  context.command.cancel(instance.attributes.node, instance.id);
  context.update.remove("ServiceInstance", instance.id);
}

function heldBy(context: Context, slot: string): Resource<"ServiceInstance"> | undefined {
  return context.graph.in(keyOf("ServiceName", slot), "holds", "ServiceInstance")[0];
}

/** A node with a part of the tracking station is of it until that part has stopped; else it is what it joined as. */
function keepRole(context: Context, name: string): void {
  const states = partSlots(context, name)
    .filter(({ attributes }) => trackingParts.includes(attributes.service))
    .flatMap(({ id }) => heldBy(context, id)?.attributes.state ?? []);
  if (states.length === 0) return;
  const role = states.some((state) => state !== "stopped") ? "tracking" : "satellite";
  const node = context.graph.get("Node", name);
  if (node === undefined || node.attributes.role === role) return;
  context.update.patch("Node", name, { role });
  context.why(`${name} is a ${role} node`);
}
