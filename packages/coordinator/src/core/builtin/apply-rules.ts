import {
  type ClusterSpec,
  contradictionIn,
  events,
  keyOf,
  knownClusterIn,
  knownRuleFilesIn,
  type NodePolicy,
  type ResourceKey,
  ruleContradictionIn,
} from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import type { Context } from "./context.ts";
import { declareKinds, kindConflict } from "./declared-kinds.ts";
import { tokenKey } from "./exclusive.ts";
import { beginOperation, failOperation } from "./operation.ts";
import { askForConfiguration, placeAll, unplace, wantType } from "./placement.ts";
import { clearFailures, giveNewTries, hasFailed } from "./restart.ts";
import { putRuleFile, removeRuleFile } from "./rule-file-versions.ts";
import { reconcileSlot } from "./slot.ts";

/** The rule that takes a cluster file, compiled, into the graph. */
export const applyRules: Readonly<Record<string, Rule>> = {
  "cluster-applied": on(events.ClusterApplied).do((context) => {
    const { spec, operation } = context.event;
    const conflict =
      contradictionIn(spec, knownClusterIn(context.graph)) ??
      ruleContradictionIn(spec, knownRuleFilesIn(context.graph)) ??
      kindConflict(context, spec);
    if (conflict !== undefined) {
      failOperation(context, operation, "apply", sizeOf(spec), conflict);
      context.why(`refused: ${conflict}`);
      return;
    }
    declareKinds(context, spec);
    for (const type of spec.types) applyType(context, type);
    for (const file of spec.rules) applyRuleFile(context, file);
    for (const deployment of spec.deployments) applyDeployment(context, deployment);
    if (spec.nodes !== undefined) applyNodePolicy(context, spec.nodes);
    if (spec.prune) prune(context, spec);
    placeAll(context);
    const slots = spec.deployments.flatMap(({ name }) =>
      context.graph.out(keyOf("Deployment", name), "places", "ServiceName"),
    );
    const reachable = slots.filter(
      (slot) => context.graph.get("Node", slot.attributes.node)?.attributes.state === "up",
    );
    const waiting = reachable.map(
      (slot) => `${slot.id}#${slot.attributes.halted === true ? 0 : 1}`,
    );
    const asked = waiting.filter((entry) => !entry.endsWith("#0"));
    beginOperation(context, operation, "apply", sizeOf(spec), asked);
    for (const slot of slots) reconcileSlot(context, slot.id);
    context.why(
      `${spec.types.length} types, ${spec.deployments.length} deployments and ${spec.rules.length} rule files applied`,
    );
  }),
};

/** What an operation says that it is about. */
function sizeOf({ deployments }: ClusterSpec): string {
  return deployments.length === 1 ? "1 deployment" : `${deployments.length} deployments`;
}

function contain(context: Context, key: ResourceKey): void {
  const cluster = context.graph.list("Cluster")[0];
  if (cluster !== undefined) context.update.relate(keyOf("Cluster", cluster.id), "contains", key);
}

function applyType(context: Context, type: ClusterSpec["types"][number]): void {
  const { graph, update } = context;
  const known = graph.get("Service", type.name);
  update.put("Schema", type.schemaHash, { schema: type.configurationSchema });
  update.put("Service", type.name, {
    serviceName: type.serviceName,
    version: type.version,
    kind: type.kind,
    blob: type.blob,
    restart: type.restart,
    startTimeoutMs: type.startTimeoutMs,
    stopTimeoutMs: type.stopTimeoutMs,
    checkEveryMs: type.checkEveryMs,
    resourceKinds: Object.keys(type.resources).sort(),
    ...(type.requires.length === 0 ? {} : { requires: type.requires }),
    ...((type.watchers ?? 0) === 0
      ? {}
      : { watchers: type.watchers, checkTimeoutMs: type.checkTimeoutMs }),
  });
  contain(context, keyOf("Service", type.name));
  const key = keyOf("Service", type.name);
  for (const other of graph.out(key, "accepts", "Schema")) {
    if (other.id !== type.schemaHash) update.unrelate(key, "accepts", keyOf("Schema", other.id));
  }
  update.relate(key, "accepts", keyOf("Schema", type.schemaHash));
  context.memory.set(`type/${type.name}`, type);
  if (known === undefined || known.attributes.blob === type.blob) return;
  // New code deserves new tries.
  for (const slot of graph.in(key, "wants", "ServiceName")) {
    if (slot.attributes.broken !== undefined) clearFailures(context, slot.id);
    else if (hasFailed(context, slot.id)) giveNewTries(context, slot.id);
  }
}

function applyRuleFile(context: Context, file: ClusterSpec["rules"][number]): void {
  putRuleFile(context, file);
  contain(context, keyOf("RuleFile", file.name));
}

function applyDeployment(context: Context, wanted: ClusterSpec["deployments"][number]): void {
  const { graph, update } = context;
  const { name, config, configHash, ...asked } = wanted;
  const { type } = asked;
  const key = keyOf("Deployment", name);
  const known = graph.get("Deployment", name);
  update.put("Configuration", configHash, { value: config });
  for (const schema of graph.out(keyOf("Service", type), "accepts", "Schema")) {
    update.relate(keyOf("Configuration", configHash), "conforms", keyOf("Schema", schema.id));
  }
  const { token = takeToken(context, name), shortfall } = known?.attributes ?? {};
  update.put("Deployment", name, {
    ...asked,
    ...(token === undefined ? {} : { token }),
    ...(shortfall === undefined ? {} : { shortfall }),
  });
  contain(context, key);
  for (const other of graph.out(key, "deploys", "Service")) {
    if (other.id !== type) update.unrelate(key, "deploys", keyOf("Service", other.id));
  }
  update.relate(key, "deploys", keyOf("Service", type));
  context.memory.set(`configuration/${name}`, configHash);
  for (const slot of graph.out(key, "places", "ServiceName")) {
    wantType(context, slot.id, type);
    askForConfiguration(context, slot.id, configHash);
  }
}

/** The token of a deployment that was removed: the next start has a higher one all the same. */
function takeToken(context: Context, name: string): number | undefined {
  const token = context.memory.get(tokenKey(name));
  if (typeof token !== "number") return undefined;
  context.memory.set(tokenKey(name), null);
  return token;
}

function applyNodePolicy(context: Context, nodes: NodePolicy): void {
  const cluster = context.graph.list("Cluster")[0];
  if (cluster !== undefined) context.update.patch("Cluster", cluster.id, { nodes });
}

/** Removes what the cluster file does not name. */
function prune(context: Context, spec: ClusterSpec): void {
  const { graph, update } = context;
  const deployments = new Set(spec.deployments.map((deployment) => deployment.name));
  for (const deployment of graph.list("Deployment")) {
    if (deployments.has(deployment.id)) continue;
    for (const slot of graph.out(keyOf("Deployment", deployment.id), "places", "ServiceName")) {
      unplace(context, deployment.id, slot.id);
    }
    const { token } = deployment.attributes;
    if (token !== undefined) context.memory.set(tokenKey(deployment.id), token);
    update.remove("Deployment", deployment.id);
    context.memory.set(`configuration/${deployment.id}`, null);
    context.why(`removes ${deployment.id}`);
  }
  const files = new Set(spec.rules.map((file) => file.name));
  for (const file of graph.list("RuleFile")) {
    if (!files.has(file.id)) removeRuleFile(context, file.id);
  }
}
