import { DeploymentSpec, NodePolicy } from "@halon/protocol";
import { expect, test } from "vitest";
import { planOf } from "./plan.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

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
