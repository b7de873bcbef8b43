import { events, keyOf, type Resource } from "@halon/protocol";
import { alertKeys, clearSlotAlerts } from "./alert-rules.ts";
import { bounded, type Context } from "./context.ts";
import { isInMaintenance } from "./node-mode.ts";
import { settleOperations } from "./operation.ts";
import { restartDecision, restartKey } from "./restart-policy.ts";
import { endInstance, reconcileSlot } from "./slot.ts";
import { isCurrentCode, isCurrentConfiguration } from "./wanted.ts";

/** Applies the type's restart policy to a failed instance, as far as its slot is still wanted. */
export function applyRestartPolicy(
  context: Context,
  instance: Resource<"ServiceInstance">,
  failure: { readonly reason: string; readonly healthyMs: number },
): void {
  const { slot, node, service, type } = instance.attributes;
  endInstance(context, instance, "failed", failure.reason);
  const policy = context.graph.get("Service", type)?.attributes.restart;
  const isIgnored = isInMaintenance(context, node);
  if (isIgnored) context.why(`${node} is in maintenance: nothing is decided`);
  if (policy === undefined || isIgnored || !context.graph.wants(instance.id)) {
    reconcileSlot(context, slot);
    return;
  }
  if (isOutdated(context, slot, instance)) {
    countRestart(context, slot);
    context.why(
      `${instance.id} was not what is wanted by now: that starts at once, with tries of its own`,
    );
    reconcileSlot(context, slot);
    return;
  }
  const known = failuresOf(context, slot);
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
    const text = `${slot} is broken: ${reason}`;
    context.alert.raise(alertKeys.serviceBroken(slot), { severity: "critical", text });
    context.publish(events.ServiceBroken, { node, service, instance: instance.id, reason });
    context.why(`${slot} is broken: ${reason}`);
    settleOperations(context, slot);
    return;
  }
  countRestart(context, slot);
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

function countRestart(context: Context, slot: string): void {
  const { restarts = 0 } = context.graph.get("ServiceName", slot)?.attributes ?? {};
  context.update.patch("ServiceName", slot, { restarts: restarts + 1 });
}

/** Whether the slot wants other code or another configuration than the instance has. */
function isOutdated(
  context: Context,
  slot: string,
  instance: Resource<"ServiceInstance">,
): boolean {
  const service = context.graph.out(keyOf("ServiceName", slot), "wants", "Service")[0];
  if (service === undefined) return false;
  return (
    !isCurrentCode(context, service, instance) || !isCurrentConfiguration(context, slot, instance)
  );
}

function failuresOf(context: Context, slot: string): readonly number[] {
  return (context.memory.get(`failures/${slot}`) ?? []) as readonly number[];
}

/** Whether the slot is broken, or is on the way to it. */
export function hasFailed(context: Context, slot: string): boolean {
  const { broken } = context.graph.get("ServiceName", slot)?.attributes ?? {};
  return broken !== undefined || failuresOf(context, slot).length > 0;
}

/** A person or a new version gives the slot a fresh start. */
export function clearFailures(context: Context, slot: string): void {
  giveNewTries(context, slot);
  context.update.patch("ServiceName", slot, { halted: undefined });
}

/** What failed before does not count any more; one that a person stopped stays so. */
export function giveNewTries(context: Context, slot: string): void {
  context.memory.set(`failures/${slot}`, null);
  context.timer.cancel(restartKey(slot));
  context.update.patch("ServiceName", slot, { broken: undefined, notice: undefined });
  clearSlotAlerts(context, slot, "it has new tries");
}
