import {
  type ClusterSpec,
  canonicalJson,
  type GraphView,
  type PlannedActions,
} from "@halon/protocol";
import { type PlannedRule, ruleFileEntries } from "./plan-rules.ts";
import { wantedConfigurations } from "./view.ts";

/** What `apply` would change. */
export interface PlanEntry {
  readonly action: "add" | "change" | "remove";
  readonly what: "type" | "deployment" | "nodes" | "rule file";
  readonly name: string;
  readonly detail: string;
  /** Of a change: each of its parts. */
  readonly differences?: readonly string[];
  /** Of a rule file: its rules. */
  readonly rules?: readonly PlannedRule[];
}

/** Answer to `POST /v1/plan`. */
export interface ClusterPlan {
  readonly changes: readonly PlanEntry[];
  /** What would follow; absent with `?actions=false`. */
  readonly actions?: PlannedActions;
}

/** Compares a compiled cluster file with the graph. */
export function planOf(graph: GraphView, spec: ClusterSpec): readonly PlanEntry[] {
  const wanted = new Set(spec.deployments.map((deployment) => deployment.name));
  const removed = spec.prune
    ? graph.list("Deployment").filter((deployment) => !wanted.has(deployment.id))
    : [];
  return [
    ...spec.types.flatMap((type) => typeEntry(graph, type)),
    ...spec.deployments.flatMap((deployment) => deploymentEntry(graph, deployment)),
    ...nodesEntry(graph, spec),
    ...ruleFileEntries(graph, spec),
    ...removed.map(({ id }) => ({
      action: "remove" as const,
      what: "deployment" as const,
      name: id,
      detail: "the cluster file does not name it",
    })),
  ];
}

/** What is done about nodes that are gone; nothing when the file does not say. */
function nodesEntry(graph: GraphView, { nodes }: ClusterSpec): readonly PlanEntry[] {
  const known = graph.list("Cluster")[0]?.attributes.nodes;
  if (nodes === undefined || canonicalJson(nodes) === canonicalJson(known ?? null)) return [];
  const action = known === undefined ? "add" : "change";
  return [{ action, what: "nodes", name: "nodes", detail: "another policy on lost nodes" }];
}

function typeEntry(graph: GraphView, type: ClusterSpec["types"][number]): readonly PlanEntry[] {
  const known = graph.get("Service", type.name)?.attributes;
  const entry = { what: "type", name: type.name } as const;
  if (known === undefined) return [{ ...entry, action: "add", detail: `version ${type.version}` }];
  if (known.blob === type.blob && known.version === type.version) return [];
  const detail =
    known.version === type.version
      ? `other code of version ${type.version}`
      : `version ${known.version} becomes ${type.version}`;
  return [{ ...entry, action: "change", detail }];
}

function deploymentEntry(
  graph: GraphView,
  wanted: ClusterSpec["deployments"][number],
): readonly PlanEntry[] {
  const known = graph.get("Deployment", wanted.name)?.attributes;
  const entry = { what: "deployment", name: wanted.name } as const;
  if (known === undefined) {
    return [{ ...entry, action: "add", detail: `${wanted.type} on ${describe(wanted.on)}` }];
  }
  const differences = [
    ...(known.type === wanted.type ? [] : [`type ${known.type} becomes ${wanted.type}`]),
    ...(canonicalJson(known.on) === canonicalJson(wanted.on)
      ? []
      : [`on ${describe(known.on)} becomes ${describe(wanted.on)}`]),
    ...(known.replicas === wanted.replicas
      ? []
      : [`replicas ${known.replicas ?? "-"} becomes ${wanted.replicas ?? "-"}`]),
    ...(known.onNodeLoss === wanted.onNodeLoss
      ? []
      : [`onNodeLoss ${known.onNodeLoss} becomes ${wanted.onNodeLoss}`]),
    ...wishes
      .filter((wish) => textOf(known[wish]) !== textOf(wanted[wish]))
      .map((wish) => `${wish} ${textOf(known[wish])} becomes ${textOf(wanted[wish])}`),
    ...(hasOtherConfig(graph, wanted) ? ["another configuration"] : []),
  ];
  if (differences.length === 0) return [];
  return [{ ...entry, action: "change", detail: differences.join(", "), differences }];
}

function hasOtherConfig(graph: GraphView, wanted: ClusterSpec["deployments"][number]): boolean {
  return wantedConfigurations(graph, wanted.name).some(({ id }) => id !== wanted.configHash);
}

const wishes = ["exclusive", "fence", "prefer", "with", "apart", "after", "spread"] as const;

function textOf(wish: string | readonly string[] | undefined): string {
  if (wish === undefined || wish.length === 0) return "-";
  return typeof wish === "string" ? wish : wish.join(" ");
}

function describe(on: ClusterSpec["deployments"][number]["on"]): string {
  if (typeof on === "string") return on;
  return "label" in on ? on.label : on.node;
}
