import { halonError, refuseUnknownFields } from "./config-error.ts";
import type { ClusterDefinition, ClusterOptions } from "./definition.ts";

const serviceFields = [
  "type",
  "name",
  "on",
  "replicas",
  "config",
  "onNodeLoss",
  "exclusive",
] as const;

/**
 * Describes a cluster: services, where they are wanted, and rules.
 *
 * Only the fields' names are checked here; `apply` checks their values. Throws HAL_CONFIG_INVALID, and
 * HAL_NOT_BUILT for `exclusive`.
 */
export function defineCluster(options: ClusterOptions): ClusterDefinition {
  refuseUnknownFields("cluster file", options, ["services", "rules"]);
  const services = Array.isArray(options.services) ? options.services : [];
  for (const [index, service] of services.entries()) {
    if (typeof service !== "object" || service === null) continue;
    refuseUnknownFields(`services[${index}]`, service, serviceFields);
    if (service.exclusive !== undefined) {
      throw halonError(
        "HAL_NOT_BUILT",
        `services[${index}].exclusive: not built yet. Remove it and use replicas: 1.`,
      );
    }
  }
  return { ...options, kind: "halon.cluster" };
}
