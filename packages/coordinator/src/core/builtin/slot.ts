import {
  events,
  instanceId,
  keyOf,
  type Resource,
  type ServiceManifest,
  splitKey,
} from "@halon/protocol";
import { bounded, type Context, isLive } from "./context.ts";
import { settleOperations } from "./operation.ts";
import { restartDecision } from "./restart-policy.ts";

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
  if (node?.attributes.state === "up") reconcileReachable(context, resource);
  settleOperations(context, slot);
}

function reconcileReachable(context: Context, slot: Resource<"ServiceName">): void {
  const { graph } = context;
  const key = keyOf("ServiceName", slot.id);
  const service = graph.out(key, "wants", "Service")[0];
  const instance = instanceOf(context, slot.id);
  if (service === undefined) {
    if (instance !== undefined && isLive(instance.attributes.state))
      stopInstance(context, instance, "it is not wanted here");
    else removeSlot(context, slot);
    return;
  }
  if (slot.attributes.halted === true || slot.attributes.broken !== undefined) {
    if (
      instance !== undefined &&
      isLive(instance.attributes.state) &&
      slot.attributes.halted === true
    ) {
      stopInstance(context, instance, "a person stopped it");
    }
    return;
  }
  const state = instance?.attributes.state;
  if (instance === undefined || state === "stopped" || state === "unknown" || state === "broken") {
    startInstance(context, slot, service);
  } else if (state === "failed") {
    if (!context.timer.pending(restartKey(slot.id))) startInstance(context, slot, service);
  } else if (state === "running" || state === "degraded") {
    reconcileRunning(context, slot, service, instance);
  }
}

function reconcileRunning(
  context: Context,
  slot: Resource<"ServiceName">,
  service: Resource<"Service">,
  instance: Resource<"ServiceInstance">,
): void {
  const { graph } = context;
  const { type, version } = instance.attributes;
  const runsBlob = context.memory.get(`blob/${slot.id}`);
  if (
    type !== service.id ||
    version !== service.attributes.version ||
    runsBlob !== service.attributes.blob
  ) {
    stopInstance(
      context,
      instance,
      `version ${service.attributes.version} of ${service.id} is wanted`,
    );
    return;
  }
  const wanted = graph.out(keyOf("ServiceName", slot.id), "wants", "Configuration")[0];
  const has = graph.out(keyOf("ServiceInstance", instance.id), "has", "Configuration")[0];
  if (wanted === undefined || has === undefined || wanted.id === has.id) return;
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
  });
  update.relate(keyOf("Node", node), "runs", key);
  update.relate(key, "holds", slotKey);
  update.relate(key, "instanceOf", keyOf("Service", service.id));
  update.relate(key, "has", keyOf("Configuration", configuration.id));
  if (graph.get("Supervisor", node) !== undefined)
    update.relate(keyOf("Supervisor", node), "monitors", key);
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

/** Tells a node to stop an instance that the graph may not know. */
export function sendStop(
  context: Context,
  node: string,
  service: string,
  instance: string,
  type: string,
  reason: string,
): void {
  const asked = context.command
    .outstanding(node)
    .some(({ action }) => action.type === "StopService" && action.instance === instance);
  if (asked) return;
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
  context.update.patch("ServiceInstance", instance.id, {
    state,
    health: state === "stopped" ? "unknown" : "fail",
    osPid: undefined,
    since: context.wallTime,
    reason: reason === undefined ? undefined : bounded(reason),
  });
}

/** Applies the type's restart policy to a failed instance, as far as its slot is still wanted. */
export function applyRestartPolicy(
  context: Context,
  instance: Resource<"ServiceInstance">,
  failure: { readonly reason: string; readonly healthyMs: number },
): void {
  const { slot, node, service, type } = instance.attributes;
  endInstance(context, instance, "failed", failure.reason);
  const policy = context.graph.get("Service", type)?.attributes.restart;
  if (policy === undefined || !context.graph.wants(instance.id)) {
    reconcileSlot(context, slot);
    return;
  }
  const known = (context.memory.get(`failures/${slot}`) ?? []) as readonly number[];
  const decision = restartDecision({
    policy,
    failures: known,
    now: context.now,
    healthyMs: failure.healthyMs,
    seed: instance.id,
  });
  context.memory.set(`failures/${slot}`, decision.failures.length === 0 ? null : decision.failures);
  if (decision.type === "broken") {
    const reason = bounded(
      `failed ${decision.failures.length} times within ${policy.windowMs / 1_000} s, last: ${failure.reason}`,
    );
    context.update.patch("ServiceName", slot, { broken: reason });
    context.update.patch("ServiceInstance", instance.id, { state: "broken", reason });
    context.publish(events.ServiceBroken, { node, service, instance: instance.id, reason });
    context.why(`${slot} is broken: ${reason}`);
    settleOperations(context, slot);
    return;
  }
  context.update.patch("ServiceName", slot, {
    restarts: (context.graph.get("ServiceName", slot)?.attributes.restarts ?? 0) + 1,
  });
  if (decision.delayMs === 0) {
    context.why(`was healthy for ${failure.healthyMs} ms, so it starts again at once`);
    reconcileSlot(context, slot);
    return;
  }
  context.timer.after(restartKey(slot), decision.delayMs, events.RestartDue, { slot });
  context.why(
    `starts ${slot} again in ${decision.delayMs} ms, after ${decision.failures.length} failures in a row`,
  );
  settleOperations(context, slot);
}

/** A person or a new version gives the slot a fresh start. */
export function clearFailures(context: Context, slot: string): void {
  context.memory.set(`failures/${slot}`, null);
  context.timer.cancel(restartKey(slot));
  context.update.patch("ServiceName", slot, { broken: undefined, halted: undefined });
}

export function restartKey(slot: string): string {
  return `restart/${slot}`;
}

/** Removes an instance of which nothing runs any more. */
export function removeInstance(context: Context, instance: Resource<"ServiceInstance">): void {
  freeResources(context, instance.id);
  context.update.remove("ServiceInstance", instance.id);
}

function removeSlot(context: Context, slot: Resource<"ServiceName">): void {
  const instance = instanceOf(context, slot.id);
  if (instance !== undefined) removeInstance(context, instance);
  context.timer.cancel(restartKey(slot.id));
  context.memory.set(`failures/${slot.id}`, null);
  // The slot itself stays: its incarnation must never be used twice for another start.
}

function freeResources(context: Context, instance: string): void {
  for (const resource of context.graph.out(keyOf("ServiceInstance", instance), "uses")) {
    const { kind, id } = splitKey(keyOf(resource.kind, resource.id));
    context.update.remove(kind, id);
  }
}
