import { keyOf, type Resource } from "@halon/protocol";
import type { Context } from "./context.ts";

/** Whether the instance runs the code of the service type that its slot wants. */
export function isCurrentCode(
  context: Context,
  service: Resource<"Service">,
  instance: Resource<"ServiceInstance">,
): boolean {
  const { type, version, slot } = instance.attributes;
  return (
    type === service.id &&
    version === service.attributes.version &&
    context.memory.get(`blob/${slot}`) === service.attributes.blob
  );
}

/** Whether the instance has taken the configuration that its slot wants. */
export function isCurrentConfiguration(
  context: Context,
  slot: string,
  instance: Resource<"ServiceInstance">,
): boolean {
  const { graph } = context;
  const wanted = graph.out(keyOf("ServiceName", slot), "wants", "Configuration")[0];
  const has = graph.out(keyOf("ServiceInstance", instance.id), "has", "Configuration")[0];
  return wanted === undefined || has === undefined || wanted.id === has.id;
}

/** Whether the instance runs, and runs as its slot wants it. */
export function runsAsWanted(
  context: Context,
  slot: string,
  instance: Resource<"ServiceInstance"> | undefined,
): boolean {
  const state = instance?.attributes.state;
  if (instance === undefined || (state !== "running" && state !== "degraded")) return false;
  const service = context.graph.out(keyOf("ServiceName", slot), "wants", "Service")[0];
  return (
    service !== undefined &&
    isCurrentCode(context, service, instance) &&
    isCurrentConfiguration(context, slot, instance)
  );
}

/** Removes a configuration that nothing wants, has, or would get at its next placement. */
export function forgetConfiguration(context: Context, configuration: string): void {
  const { graph } = context;
  const key = keyOf("Configuration", configuration);
  if (graph.in(key, "wants").length > 0 || graph.in(key, "has").length > 0) return;
  const isDeployed = graph
    .list("Deployment")
    .some(({ id }) => context.memory.get(`configuration/${id}`) === configuration);
  if (!isDeployed) context.update.remove("Configuration", configuration);
}
