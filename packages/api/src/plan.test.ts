import {
  ClusterSpec,
  DeploymentSpec,
  type GraphView,
  NodePolicy,
  type ResourceKey,
} from "@halon/protocol";
import { expect, test } from "vitest";
import { planOf } from "./plan.ts";
import { memoryPorts } from "./testing/memory-ports.ts";
import { serviceView } from "./view.ts";

const hash = "0".repeat(64);

function planned(given: Partial<DeploymentSpec>, nodes?: NodePolicy) {
  const standard = { name: "web", type: "web", on: "every-node", onNodeLoss: "wait", config: {} };
  const web = DeploymentSpec.parse({ ...standard, configHash: hash, ...given });
  const spec = { types: [], deployments: [web], rules: [], prune: false };
  return planOf(memoryPorts().ports.graph(), nodes === undefined ? spec : { ...spec, nodes });
}

test("a plan is empty when the cluster file says what the cluster has", () => {
  expect(planned({})).toEqual([]);
  expect(planned({ after: [] })).toEqual([]);
});

test("a plan names each wish that changes", () => {
  const [entry] = planned({ exclusive: "cluster", after: ["db", "cache"] });
  expect(entry?.detail).toBe("exclusive - becomes cluster, after - becomes db cache");
});

test("a plan names another policy on lost nodes", () => {
  expect(planned({}, NodePolicy.parse({}))).toMatchObject([{ action: "add", what: "nodes" }]);
});

test("a place that a service has left says nothing of its configuration", () => {
  const { ports } = memoryPorts();
  const view = ports.graph();
  const [place] = view.list("ServiceName");
  const left = { kind: "ServiceName", id: "web@node-0", attributes: { service: "web" } };
  const old = { kind: "Configuration", id: "old", attributes: { value: { greeting: "old" } } };
  const graph = {
    ...view,
    list: (kind: "ServiceName") => (kind === "ServiceName" ? [left, place] : view.list(kind)),
    out: (from: ResourceKey, name: "wants", kind: "Configuration" | "Service") => {
      if (from === "ServiceName/web@node-0") return kind === "Configuration" ? [old] : [];
      return kind === "Service" ? view.list("Service") : view.out(from, name, kind);
    },
  } as unknown as GraphView;
  expect(serviceView(graph, ports.status(), "web").config).toEqual({ greeting: "hi" });
  const standard = { name: "web", type: "web", on: "every-node", onNodeLoss: "wait", config: {} };
  const web = DeploymentSpec.parse({ ...standard, configHash: hash });
  const spec = { types: [], deployments: [web], rules: [], prune: false };
  expect(planOf(graph, spec)).toEqual([]);
});

test("a plan names rule files that come, change and go", () => {
  const { ports } = memoryPorts();
  const view = ports.graph();
  const file = { blob: hash, rules: ["note"], events: [], patterns: {} };
  const known = (id: string, more = {}) => ({
    kind: "RuleFile",
    id,
    attributes: { ...file, ...more },
  });
  const files = [known("same"), known("changed"), known("gone"), known("left", { retired: true })];
  const graph = {
    ...view,
    list: (kind: "RuleFile") => (kind === "RuleFile" ? files : []),
    get: (kind: "RuleFile", id: string) =>
      kind === "RuleFile" ? files.find((each) => each.id === id) : undefined,
  } as unknown as GraphView;
  const rules = [
    { ...file, name: "same" },
    { ...file, name: "changed", blob: "1".repeat(64), rules: ["count"] },
    { ...file, name: "new", events: [{ type: "Slow", version: 1, schema: {} }] },
  ];
  const spec = ClusterSpec.parse({ types: [], deployments: [], rules, prune: true });
  expect(planOf(graph, spec).map(({ action, name, detail }) => [action, name, detail])).toEqual([
    ["change", "changed", "other code, with rule count, without rule note"],
    ["add", "new", "rules note; events Slow"],
    ["remove", "gone", "the cluster file does not name it"],
  ]);
  expect(planOf(graph, { ...spec, rules: spec.rules.slice(0, 1), prune: false })).toEqual([]);
});
