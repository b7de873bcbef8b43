import { refuseUnknownFields } from "./config-error.ts";
import type { ClusterDefinition, ClusterOptions } from "./definition.ts";

const serviceFields = [
  "type",
  "name",
  "on",
  "replicas",
  "config",
  "onNodeLoss",
  "exclusive",
  "fence",
  "prefer",
  "with",
  "apart",
  "after",
  "spread",
] as const;

const ruleFields = ["file", "options"];

const nodesFields = {
  recover: ["every", "attempts", "command", "timeout"],
  fence: ["command", "timeout"],
  breaker: ["nodes", "share", "within"],
} as const;

/**
 * Describes a cluster: services, where they are wanted, rules, and what is done about nodes that are gone.
 *
 * Only the fields' names are checked here; `apply` checks their values. Throws HAL_CONFIG_INVALID.
 */
export function defineCluster(options: ClusterOptions): ClusterDefinition {
  refuseUnknownFields("cluster file", options, ["services", "rules", "nodes"]);
  const services = Array.isArray(options.services) ? options.services : [];
  for (const [index, service] of services.entries()) {
    refuseIn(`services[${index}]`, service, serviceFields);
  }
  const rules = Array.isArray(options.rules) ? options.rules : [];
  for (const [index, rule] of rules.entries()) refuseIn(`rules[${index}]`, rule, ruleFields);
  const { nodes } = options;
  refuseIn("nodes", nodes, Object.keys(nodesFields));
  refuseIn("nodes.recover", nodes?.recover, nodesFields.recover);
  refuseIn("nodes.fence", nodes?.fence, nodesFields.fence);
  refuseIn("nodes.breaker", nodes?.breaker, nodesFields.breaker);
  return { ...options, kind: "halon.cluster" };
}

function refuseIn(what: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === "object" && value !== null) refuseUnknownFields(what, value, allowed);
}
