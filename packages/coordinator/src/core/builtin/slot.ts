import {
  type CommandType,
  instanceId,
  keyOf,
  type Resource,
  type ServiceManifest,
  splitKey,
} from "@halon/protocol";
import { clearSlotAlerts } from "./alert-rules.ts";
import { bounded, type Context, isLive } from "./context.ts";
import { hasLeaseAsWanted, isExclusive, startBlocker, takeLease } from "./exclusive.ts";
import { forgetWatchers, watchFromElsewhere } from "./instance-watch.ts";
import { isInMaintenance } from "./node-mode.ts";
import { settleOperations } from "./operation.ts";
import { isPart } from "./part.ts";
import { restartKey } from "./restart-policy.ts";
import { forgetTrials } from "./trial.ts";
import { isHeldBack } from "./waiting.ts";
import { forgetConfiguration, isCurrentCode, isCurrentConfiguration } from "./wanted.ts";

/** Beyond a service's own start or stop deadline: the way to the node and back. */
const answerDeadlineMs = 10_000;

/** The instance that a slot holds, whatever its state. */
export function instanceOf(
  context: Context,
  slot: string,
): Resource<"ServiceInstance"> | undefined {
  return context.graph.in(keyOf("ServiceName", slot), "holds", "ServiceInstance")[0];
}

export function manifestOf(context: Context, type: string): ServiceManifest | undefined {
  return context.memory.get(`type/${type}`) as ServiceManifest | undefined;
}

/**
 * Makes what runs in a slot agree with what is wanted there, as far as that is possible now.
 *
 * It looks at states only, never at the event, so a lost event can delay it but not mislead it.
 */
export function reconcileSlot(context: Context, slot: string): void {
  const resource = context.graph.get("ServiceName", slot);
  if (resource === undefined) return;
  const node = context.graph.get("Node", resource.attributes.node);
  if (node?.attributes.state === "up" && !isPart(resource.attributes.service))
    reconcileReachable(context, resource);
  if (isExclusive(context.graph, resource.attributes.service)) startElsewhere(context, resource);
  settleOperations(context, slot);
}

/** Where nothing of an exclusive service may run in this slot any more, it may start where it is wanted instead. */
function startElsewhere(context: Context, { id, attributes }: Resource<"ServiceName">): void {
  const { graph } = context;
  const places = graph.out(keyOf("Deployment", attributes.service), "places", "ServiceName");
  for (const place of places) {
    if (place.id === id || startBlocker(context, place.id) !== undefined) continue;
    if (graph.get("Node", place.attributes.node)?.attributes.state !== "up") continue;
    reconcileReachable(context, place);
    settleOperations(context, place.id);
  }
}

function reconcileReachable(context: Context, slot: Resource<"ServiceName">): void {
  const { graph } = context;
  const key = keyOf("ServiceName", slot.id);
  const { node } = slot.attributes;
  const service = graph.out(key, "wants", "Service")[0];
  const instance = instanceOf(context, slot.id);
  // The node can be reached again; whether it runs is what its inventory tells, which is on its way.
  if (instance?.attributes.state === "unknown") return;
  if (instance?.attributes.state === "stopping") {
    sendStopAgain(context, instance);
  } else if (service === undefined) {
    if (instance !== undefined && isLive(instance.attributes.state))
      stopInstance(context, instance, "it is not wanted here");
    else removeSlot(context, slot);
  } else if (slot.attributes.halted === true) {
    halt(context, instance);
  } else if (slot.attributes.broken === undefined && !isInMaintenance(context, node)) {
    reconcileWanted(context, slot, service, instance);
  }
}

function reconcileWanted(
  context: Context,
  slot: Resource<"ServiceName">,
  service: Resource<"Service">,
  instance: Resource<"ServiceInstance"> | undefined,
): void {
  const state = instance?.attributes.state;
  const isEnded = instance === undefined || state === "stopped" || state === "broken";
  if (isEnded || (state === "failed" && !context.timer.pending(restartKey(slot.id)))) {
    if (!isHeldBack(context, slot.id)) startInstance(context, slot, service);
  } else if (instance !== undefined && (state === "running" || state === "degraded")) {
    reconcileRunning(context, slot, service, instance);
  }
}

function halt(context: Context, instance: Resource<"ServiceInstance"> | undefined): void {
  const state = instance?.attributes.state;
  if (instance === undefined || state === undefined) return;
  const reason = "a person stopped it";
  if (isLive(state)) stopInstance(context, instance, reason);
  else if (state !== "stopped") endInstance(context, instance, "stopped", reason);
}

/** The command may have been refused or cancelled; without one nobody would ever stop the instance. */
function sendStopAgain(context: Context, instance: Resource<"ServiceInstance">): void {
  const { node, service, type, slot, reason } = instance.attributes;
  if (context.timer.pending(restartKey(slot))) return;
  sendStop(context, node, service, instance.id, type, reason ?? "it is being stopped");
}

function reconcileRunning(
  context: Context,
  slot: Resource<"ServiceName">,
  service: Resource<"Service">,
  instance: Resource<"ServiceInstance">,
): void {
  const { graph } = context;
  if (!isCurrentCode(context, service, instance)) {
    stopInstance(
      context,
      instance,
      `version ${service.attributes.version} of ${service.id} is wanted`,
    );
    return;
  }
  if (!hasLeaseAsWanted(graph, instance)) {
    const now = isExclusive(graph, slot.attributes.service) ? "now" : "no more";
    stopInstance(context, instance, `${slot.attributes.service} is exclusive ${now}`);
    return;
  }
  const wanted = graph.out(keyOf("ServiceName", slot.id), "wants", "Configuration")[0];
  if (wanted === undefined || isCurrentConfiguration(context, slot.id, instance)) return;
  const asked = context.command
    .outstanding(instance.attributes.node)
    .some(
      ({ action }) =>
        action.type === "ReconfigureService" &&
        action.instance === instance.id &&
        action.configHash === wanted.id,
    );
  if (asked) return;
  context.command.send(
    instance.attributes.node,
    {
      type: "ReconfigureService",
      service: slot.attributes.service,
      instance: instance.id,
      config: wanted.attributes.value,
      configHash: wanted.id,
    },
    { deadlineMs: answerDeadlineMs },
  );
  context.why(`${instance.id} gets configuration ${wanted.id.slice(0, 12)}`);
}

function startInstance(
  context: Context,
  slot: Resource<"ServiceName">,
  service: Resource<"Service">,
): void {
  const { graph, update } = context;
  const { node } = slot.attributes;
  const manifest = manifestOf(context, service.id);
  const slotKey = keyOf("ServiceName", slot.id);
  const configuration = graph.out(slotKey, "wants", "Configuration")[0];
  if (manifest === undefined || configuration === undefined) return;
  const old = instanceOf(context, slot.id);
  if (old !== undefined) removeInstance(context, old);
  const incarnation = slot.attributes.incarnation + 1;
  const id = instanceId(slot.id, incarnation);
  const lease = takeLease(context, slot.attributes.service);
  const key = keyOf("ServiceInstance", id);
  update.patch("ServiceName", slot.id, { incarnation });
  update.put("ServiceInstance", id, {
    service: slot.attributes.service,
    type: service.id,
    version: manifest.version,
    node,
    slot: slot.id,
    incarnation,
    state: "starting",
    health: "unknown",
    since: context.wallTime,
    ...(lease === undefined ? {} : { token: lease.token }),
  });
  update.relate(keyOf("Node", node), "runs", key);
  update.relate(key, "holds", slotKey);
  update.relate(key, "instanceOf", keyOf("Service", service.id));
  update.relate(key, "has", keyOf("Configuration", configuration.id));
  if (graph.get("Supervisor", node) !== undefined)
    update.relate(keyOf("Supervisor", node), "monitors", key);
  watchFromElsewhere(context, id, manifest.watchers ?? 0);
  context.timer.cancel(restartKey(slot.id));
  context.memory.set(`blob/${slot.id}`, manifest.blob);
  context.command.send(
    node,
    {
      type: "StartService",
      service: slot.attributes.service,
      instance: id,
      manifest,
      config: configuration.attributes.value,
      configHash: configuration.id,
      ...(lease === undefined ? {} : { lease }),
    },
    { deadlineMs: manifest.startTimeoutMs + answerDeadlineMs },
  );
  context.why(`starts ${id}`);
}

/** Tells the node to stop the instance; does nothing when it is already stopping. */
export function stopInstance(
  context: Context,
  instance: Resource<"ServiceInstance">,
  reason: string,
): void {
  if (instance.attributes.state === "stopping") return;
  context.update.patch("ServiceInstance", instance.id, {
    state: "stopping",
    since: context.wallTime,
    reason,
  });
  sendStop(
    context,
    instance.attributes.node,
    instance.attributes.service,
    instance.id,
    instance.attributes.type,
    reason,
  );
  context.why(`stops ${instance.id}: ${reason}`);
}

/** Whether the node has a command of this type for the instance that it has not answered. */
export function isAsked(
  context: Context,
  node: string,
  instance: string,
  type: CommandType,
): boolean {
  return context.command
    .outstanding(node)
    .some(({ action }) => action.type === type && action.instance === instance);
}

/** Tells a node to stop an instance that the graph may not know. */
export function sendStop(
  context: Context,
  node: string,
  service: string,
  instance: string,
  type: string,
  reason: string,
): void {
  if (isAsked(context, node, instance, "StopService")) return;
  // A start that has not come to the node must not come after the stop.
  context.command.cancel(node, instance, "StartService");
  const stopTimeoutMs = manifestOf(context, type)?.stopTimeoutMs ?? 0;
  context.command.send(
    node,
    { type: "StopService", service, instance, reason },
    { deadlineMs: stopTimeoutMs + answerDeadlineMs },
  );
}

/** Takes note that nothing of the instance runs any more, and frees what it held. */
export function endInstance(
  context: Context,
  instance: Resource<"ServiceInstance">,
  state: "stopped" | "failed" | "broken",
  reason: string | undefined,
): void {
  freeResources(context, instance.id);
  // Nothing is left to answer them; what is on its way all the same is answered, and counts for nothing.
  context.command.cancel(instance.attributes.node, instance.id);
  context.update.patch("ServiceInstance", instance.id, {
    state,
    health: state === "stopped" ? "unknown" : "fail",
    osPid: undefined,
    doubts: undefined,
    since: context.wallTime,
    reason: reason === undefined ? undefined : bounded(reason),
  });
}

/** Removes an instance of which nothing runs any more. */
export function removeInstance(context: Context, instance: Resource<"ServiceInstance">): void {
  freeResources(context, instance.id);
  forgetWatchers(context, instance);
  const had = context.graph.out(keyOf("ServiceInstance", instance.id), "has", "Configuration");
  context.update.remove("ServiceInstance", instance.id);
  for (const { id } of had) forgetConfiguration(context, id);
}

function removeSlot(context: Context, slot: Resource<"ServiceName">): void {
  const instance = instanceOf(context, slot.id);
  if (instance !== undefined) removeInstance(context, instance);
  context.timer.cancel(restartKey(slot.id));
  context.memory.set(`failures/${slot.id}`, null);
  forgetTrials(context, slot.id);
  context.update.patch("ServiceName", slot.id, {
    broken: undefined,
    halted: undefined,
    notice: undefined,
  });
  clearSlotAlerts(context, slot.id, "it is not wanted any more");
  // The slot itself stays: its incarnation must never be used twice for another start.
}

function freeResources(context: Context, instance: string): void {
  for (const resource of context.graph.out(keyOf("ServiceInstance", instance), "uses")) {
    const { kind, id } = splitKey(keyOf(resource.kind, resource.id));
    context.update.remove(kind, id);
  }
}
