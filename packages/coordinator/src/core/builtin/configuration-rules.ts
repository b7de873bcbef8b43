import { events, keyOf, type Resource } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { alertKeys } from "./alert-rules.ts";
import { bounded, type Context } from "./context.ts";
import { isInMaintenance } from "./node-mode.ts";
import { failConfiguring } from "./operation.ts";
import { wantConfiguration } from "./placement.ts";
import { clearFailures } from "./restart.ts";
import { endInstance, reconcileSlot } from "./slot.ts";
import { countFailure, isWellWith, type Proven, provenOf, schemaOf } from "./trial.ts";
import { forgetConfiguration } from "./wanted.ts";

/** What no other configuration would have changed. */
const notItsFault = [
  "HAL_NAME_TAKEN",
  "HAL_BLOB_MISSING",
  "HAL_CONFLICT",
  "HAL_SERVICE_LOAD",
] as const;

/** An instance that could not start, or that failed. */
export interface Failure {
  readonly reason: string;
  readonly healthyMs: number;
  readonly cause?: string | undefined;
  readonly code?: string | undefined;
}

/** Rules on configurations that services take while they run. */
export const configurationRules: Readonly<Record<string, Rule>> = {
  "service-reconfigured": on(events.ServiceReconfigured).do((context) => {
    const { event, graph, update } = context;
    const instance = graph.get("ServiceInstance", event.instance);
    if (instance === undefined) {
      context.why(`ignored: ${event.instance} is not a current instance`);
      return;
    }
    const { slot, state } = instance.attributes;
    if (event.command === undefined && event.config !== undefined) {
      // Its own change stands until a person asks for another configuration: taking it back would fight the service.
      update.put("Configuration", event.configuration, { value: event.config });
      wantConfiguration(context, slot, event.configuration);
      context.why(`${instance.id} changed its own configuration`);
    }
    hasConfiguration(context, instance.id, event.configuration);
    if (state === "running") isWellWith(context, slot, event.configuration);
    reconcileSlot(context, slot);
  }),
};

/** The instance runs with this configuration and no other. */
export function hasConfiguration(context: Context, instance: string, configuration: string): void {
  const key = keyOf("ServiceInstance", instance);
  if (context.graph.get("Configuration", configuration) === undefined) return;
  const others = context.graph
    .out(key, "has", "Configuration")
    .filter(({ id }) => id !== configuration);
  for (const { id } of others) context.update.unrelate(key, "has", keyOf("Configuration", id));
  context.update.relate(key, "has", keyOf("Configuration", configuration));
  for (const { id } of others) forgetConfiguration(context, id);
}

/**
 * Takes the slot's configuration back to the last that worked, when it has failed as often as its type allows.
 *
 * False: that is not the case, and the failure is a matter of the restart policy alone.
 */
export function takeBackConfiguration(
  context: Context,
  instance: Resource<"ServiceInstance">,
  failure: Failure,
): boolean {
  const { graph } = context;
  const { slot, node, type } = instance.attributes;
  const has = graph.out(keyOf("ServiceInstance", instance.id), "has", "Configuration")[0];
  const policy = graph.get("Service", type)?.attributes.restart;
  if (has === undefined || policy === undefined || !isItsFault(failure)) return false;
  const { healthyMs } = failure;
  const failures = countFailure(context, slot, { configuration: has.id, healthyMs });
  if (failures < policy.configTries) return false;
  const proven = provenOf(context, slot);
  const wanted = graph.out(keyOf("ServiceName", slot), "wants", "Configuration")[0];
  if (proven === undefined || wanted?.id !== has.id || proven.configuration === has.id)
    return false;
  // Another version of the type may have a schema that the older configuration does not fit.
  if (proven.schema !== schemaOf(context, type)) return false;
  if (isInMaintenance(context, node) || !graph.wants(instance.id)) return false;
  takeBack(context, instance, { from: has.id, proven, failures, last: failure.reason });
  return true;
}

function isItsFault({ cause, code }: Failure): boolean {
  return cause !== "lease" && !notItsFault.some((other) => other === code);
}

function takeBack(
  context: Context,
  instance: Resource<"ServiceInstance">,
  revert: {
    readonly from: string;
    readonly proven: Proven;
    readonly failures: number;
    readonly last: string;
  },
): void {
  const { graph, update } = context;
  const { slot, service, node } = instance.attributes;
  const { from, proven, failures, last } = revert;
  const to = proven.configuration;
  const reason = bounded(
    `configuration ${short(from)} was taken back to ${short(to)}, the last that worked: it failed ${failures} times, last: ${last}`,
  );
  endInstance(context, instance, "failed", reason);
  update.put("Configuration", to, { value: proven.value });
  wantConfiguration(context, slot, to);
  takeBackDeployment(context, service, { from, to });
  clearFailures(context, slot);
  update.patch("ServiceName", slot, {
    restarts: (graph.get("ServiceName", slot)?.attributes.restarts ?? 0) + 1,
    notice: reason,
  });
  // Before the slot is looked at again: it runs as it is wanted now, but not as those wanted it who wait.
  failConfiguring(context, slot, reason);
  const alert = { severity: "warning", text: `${slot}: ${reason}` } as const;
  context.alert.raise(alertKeys.configurationReverted(slot), alert);
  context.publish(events.ConfigurationReverted, { service, node, from, to, reason });
  context.why(`${slot}: ${reason}`);
  reconcileSlot(context, slot);
}

/** The deployment gives it to further places, as long as one of its slots still wants it. */
function takeBackDeployment(
  context: Context,
  deployment: string,
  { from, to }: { readonly from: string; readonly to: string },
): void {
  const { graph, memory } = context;
  if (memory.get(`configuration/${deployment}`) !== from) return;
  const isWanted = graph
    .in(keyOf("Configuration", from), "wants", "ServiceName")
    .some(({ attributes }) => attributes.service === deployment);
  if (isWanted) return;
  memory.set(`configuration/${deployment}`, to);
  forgetConfiguration(context, from);
}

function short(hash: string): string {
  return hash.slice(0, 12);
}
