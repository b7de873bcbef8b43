import { type DataOf, events, keyOf, type Resource } from "@halon/protocol";
import { on, type Rule, releaseVersion } from "@halon/rules";
import { alertKeys } from "./alert-rules.ts";
import { type Failure, hasConfiguration, takeBackConfiguration } from "./configuration-rules.ts";
import { bounded, type Context, isLive } from "./context.ts";
import { wellState } from "./instance-watch.ts";
import { answerOperations, finishStarted } from "./operation.ts";
import { reconcileWaiting } from "./placement.ts";
import { applyRestartPolicy, clearFailures } from "./restart.ts";
import { endInstance, instanceOf, reconcileSlot, sendStop } from "./slot.ts";
import { isNotWell, isWellWith } from "./trial.ts";

/** Rules on what services do, as their nodes report it. */
export const serviceRules: Readonly<Record<string, Rule>> = {
  "service-started": on(events.ServiceStarted).do((context) => {
    const { event } = context;
    const instance = current(context, event.instance);
    if (instance === undefined) {
      stopStray(context, event);
      return;
    }
    const { state, slot } = instance.attributes;
    if (state !== "starting" && state !== "running" && state !== "degraded") {
      context.why(`ignored: ${instance.id} is ${state}`);
      return;
    }
    context.update.patch("ServiceInstance", instance.id, {
      state: "running",
      health: "ok",
      osPid: event.osPid,
      ...(state === "running" ? {} : { since: context.wallTime }),
      reason: undefined,
    });
    hasConfiguration(context, instance.id, event.configuration);
    if (state === "starting") isWellWith(context, slot, event.configuration);
    context.why(`${instance.id} runs`);
    reconcileSlot(context, slot);
    if (state === "starting") reconcileWaiting(context, instance.attributes.service);
  }),

  "service-could-not-start": on(events.ServiceCouldNotStart).do((context) => {
    const { event } = context;
    const instance = current(context, event.instance);
    if (instance === undefined) return;
    const reason = `could not start: ${event.reason}`;
    if (isHeldByOlder(instance, event)) replaceOlder(context, instance, event.holder, reason);
    else takeFailure(context, instance, { reason, healthyMs: 0, code: event.code });
  }),

  "restart-failed": on(events.ServiceFailed).do((context) => {
    const { event } = context;
    const instance = current(context, event.instance);
    if (instance === undefined) return;
    const { reason, healthyMs, cause } = event;
    takeFailure(context, instance, { reason, healthyMs, cause });
  }),

  "service-exited": on(events.ServiceExited).do((context) => {
    const instance = current(context, context.event.instance);
    if (instance !== undefined) takeExit(context, instance, context.event.reason);
  }),

  "service-stopped": on(events.ServiceStopped).do((context) => {
    const instance = current(context, context.event.instance);
    if (instance !== undefined) takeEnd(context, instance);
  }),

  "restart-due": on(events.RestartDue).do((context) => {
    reconcileSlot(context, context.event.slot);
  }),

  "service-health": on(events.ServiceHealthChanged).do((context) => {
    const { event } = context;
    const instance = current(context, event.instance);
    if (instance === undefined) return;
    const { state } = instance.attributes;
    if (state !== "running" && state !== "degraded") return;
    const well = event.health === "ok" || event.health === "unknown";
    const { slot } = instance.attributes;
    if (!well) isNotWell(context, slot);
    else if (state === "degraded") isWellWith(context, slot, configurationOf(context, instance.id));
    const degraded = { state: "degraded", reason: event.detail ?? "its check says so" } as const;
    context.update.patch("ServiceInstance", instance.id, {
      ...(well ? wellState(context, instance) : degraded),
      health: event.health,
    });
    context.why(
      `${instance.id} is ${event.health}${event.detail === undefined ? "" : `: ${event.detail}`}`,
    );
  }),

  "service-checked": on(events.ServiceChecked).do((context) => {
    const { instance, health, detail } = context.event;
    answerOperations(context, instance, { health, ...(detail === undefined ? {} : { detail }) });
  }),

  "service-reported": on(events.ServiceReported).do((context) => {
    answerOperations(context, context.event.instance, { report: context.event.report });
  }),

  "resource-acquired": on(events.ResourceAcquired).do((context) => {
    const { event, graph, update } = context;
    const instance = current(context, event.instance);
    if (instance === undefined) return;
    const { state } = instance.attributes;
    if (!isLive(state) && state !== "unknown") {
      context.why(`ignored: ${instance.id} is ${state}`);
      return;
    }
    const declared = graph.get("Service", instance.attributes.type)?.attributes.resourceKinds ?? [];
    if (!declared.includes(event.kind)) {
      context.why(
        `refused: ${instance.attributes.type} does not declare resources of kind ${event.kind}`,
      );
      return;
    }
    const holder = graph.in(keyOf(event.kind, event.id), "uses", "ServiceInstance")[0];
    if (holder !== undefined && holder.id !== instance.id) {
      context.why(`refused: ${event.kind} ${event.id} is held by ${holder.id}`);
      return;
    }
    update.put(event.kind, event.id, event.attributes);
    update.relate(keyOf("ServiceInstance", instance.id), "uses", keyOf(event.kind, event.id));
    context.why(`${instance.id} holds ${event.kind} ${event.id}`);
  }),

  "resource-released": on(events.ResourceReleased).do((context) => {
    const { event, graph, update } = context;
    const key = keyOf(event.kind, event.id);
    if (graph.related(keyOf("ServiceInstance", event.instance), "uses", key))
      update.remove(event.kind, event.id);
  }),

  "rule-file-failed": on(events.RuleFileFailed).do((context) => {
    const { file, blob, reason } = context.event;
    if (releaseVersion(context.graph, context.update, file, blob)) {
      context.why(
        `an earlier version of ${file} takes no part, its jobs end at their deadlines: ${reason}`,
      );
      return;
    }
    const known = context.graph.get("RuleFile", file);
    if (known === undefined || known.attributes.blob !== blob) return;
    context.update.patch("RuleFile", file, { quarantined: reason });
    const text = `rule file ${file} is in quarantine: ${reason}`;
    context.alert.raise(alertKeys.ruleFile(file), { severity: "critical", text });
    context.why(`rule file ${file} takes no part: ${reason}`);
  }),
};

/** The instance, if it is the one that its slot holds; events of others are of the past. */
function current(context: Context, id: string): Resource<"ServiceInstance"> | undefined {
  const instance = context.graph.get("ServiceInstance", id);
  if (instance === undefined) context.why(`ignored: ${id} is not a current instance`);
  return instance;
}

/** Nothing of the instance runs any more, and nobody asked for that, unless it was being stopped. */
function takeFailure(
  context: Context,
  instance: Resource<"ServiceInstance">,
  failure: Failure,
): void {
  const { state } = instance.attributes;
  if (state === "stopping") takeEnd(context, instance);
  else if (isLive(state) || state === "unknown") {
    if (!takeBackConfiguration(context, instance, failure))
      applyRestartPolicy(context, instance, failure);
  } else context.why(`ignored: ${instance.id} is ${state} already`);
}

type CouldNotStart = DataOf<typeof events.ServiceCouldNotStart>;

/** Whether an older instance of the same slot has the name, one that the graph has given up. */
function isHeldByOlder(
  instance: Resource<"ServiceInstance">,
  { code, holder }: CouldNotStart,
): boolean {
  return (
    code === "HAL_NAME_TAKEN" &&
    isLive(instance.attributes.state) &&
    holder?.startsWith(`${instance.attributes.slot}#`) === true
  );
}

/** That is no failure of the service: the older one is stopped, and the next start waits for its end. */
function replaceOlder(
  context: Context,
  instance: Resource<"ServiceInstance">,
  holder: string | undefined,
  reason: string,
): void {
  const { node, service, slot, state, type } = instance.attributes;
  if (holder !== undefined) sendStop(context, node, service, holder, type, reason);
  endInstance(context, instance, state === "stopping" ? "stopped" : "failed", reason);
  context.why(`${holder} holds the name and is stopped`);
  reconcileSlot(context, slot);
}

/** Nothing of the instance runs any more, and that was asked for. */
function takeEnd(context: Context, instance: Resource<"ServiceInstance">): void {
  const { slot, reason } = instance.attributes;
  if (!isLive(instance.attributes.state) && instance.attributes.state !== "unknown") return;
  isNotWell(context, slot);
  endInstance(context, instance, "stopped", reason);
  context.why(`${instance.id} has stopped`);
  reconcileSlot(context, slot);
}

/** Its work is done: it does not start again before a person starts it, and those who wanted it to run had that. */
function takeExit(context: Context, instance: Resource<"ServiceInstance">, said: string): void {
  const { state, slot, incarnation } = instance.attributes;
  if (state === "stopping" || (!isLive(state) && state !== "unknown")) {
    takeEnd(context, instance);
    return;
  }
  const reason = bounded(`it has ended by itself: ${said}`);
  isNotWell(context, slot);
  endInstance(context, instance, "stopped", reason);
  finishStarted(context, slot, incarnation);
  clearFailures(context, slot);
  context.update.patch("ServiceName", slot, { halted: true, notice: reason });
  context.why(`${instance.id}: ${reason}`);
  reconcileSlot(context, slot);
}

function configurationOf({ graph }: Context, instance: string): string {
  return graph.out(keyOf("ServiceInstance", instance), "has", "Configuration")[0]?.id ?? "";
}

/** An instance that the graph does not know has started: its slot has gone on without it. */
function stopStray(
  context: Context,
  event: { readonly node: string; readonly service: string; readonly instance: string },
): void {
  const slot = event.instance.slice(0, event.instance.lastIndexOf("#"));
  const holder = instanceOf(context, slot);
  sendStop(
    context,
    event.node,
    event.service,
    event.instance,
    holder?.attributes.type ?? "",
    "it is not wanted any more",
  );
}
