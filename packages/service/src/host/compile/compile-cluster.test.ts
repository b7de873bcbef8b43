import { DeploymentSpec, NodePolicy } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { compileCluster } from "./compile-cluster.ts";

const compile = async (value: unknown) =>
  (await compileCluster(value, "/nowhere", { prune: true, name: "cluster.ts" })).spec;

test("what a service says of its places is taken over, and what it leaves out stays out", async () => {
  const wishes = {
    exclusive: "cluster",
    fence: "lease",
    prefer: ["node-1", "zone=a"],
    with: ["db"],
    apart: ["batch"],
    after: ["db"],
    spread: "rack",
  };
  const { deployments } = await compile({
    services: [{ type: "web", ...wishes }, { type: "db" }, { type: "batch" }],
  });
  expect(deployments[0]).toMatchObject(wishes);
  expect(Object.keys(deployments[1] ?? {}).sort()).toEqual(
    ["name", "type", "on", "onNodeLoss", "config", "configHash"].sort(),
  );
  for (const deployment of deployments)
    expect(DeploymentSpec.parse(deployment)).toEqual(deployment);
});

describe("nodes of a cluster file", () => {
  test("become a policy, with the standard where they say nothing", async () => {
    const { nodes } = await compile({
      nodes: {
        recover: { every: "10s", attempts: 2, command: ["on", "{target}"], timeout: "5s" },
        fence: { command: ["off", "{target}"] },
        breaker: { nodes: 4, share: 0.5, within: "2m" },
      },
    });
    expect(nodes).toEqual({
      recoverEveryMs: 10_000,
      recoverAttempts: 2,
      recover: { command: ["on", "{target}"], timeoutMs: 5_000 },
      fence: { command: ["off", "{target}"], timeoutMs: 60_000 },
      breakerNodes: 4,
      breakerShare: 0.5,
      breakerWindowMs: 120_000,
    });
    expect((await compile({ nodes: {} })).nodes).toEqual(NodePolicy.parse({}));
  });

  test("that are absent leave the cluster's policy alone", async () => {
    expect(await compile({})).not.toHaveProperty("nodes");
  });
});

test.each([
  ["an unknown field of nodes", { nodes: { brake: {} } }, 'nodes: Unrecognized key: "brake"'],
  ["an unknown field of fence", { nodes: { fence: { command: ["x"], every: 1 } } }, "nodes.fence"],
  ["a fence without a command", { nodes: { fence: {} } }, "nodes.fence.command"],
  ["an empty command", { nodes: { fence: { command: [] } } }, "nodes.fence.command"],
  ["a share over one", { nodes: { breaker: { share: 34 } } }, "nodes.breaker.share"],
  [
    "a wrong duration",
    { nodes: { recover: { every: "soon" } } },
    'nodes.recover.every: expected a duration such as 500ms, 10s or 1m, got "soon". Correct',
  ],
  [
    "a place that is none",
    { services: [{ type: "a", on: "anywhere" }] },
    'services[0].on: expected "every-node", "any-node", { label: "key=value" } or { node: "name" }, got "anywhere"',
  ],
  [
    "a place of no label",
    { services: [{ type: "a", on: { label: "zone" } }] },
    "services[0].on.label: expected key=value",
  ],
  [
    "a name of a part",
    { services: [{ type: "a", name: "halon-a" }] },
    "deployment halon-a has a name",
  ],
  [
    "a number beside every node",
    { services: [{ type: "a", on: "every-node", replicas: 2 }] },
    "deployment a is wanted on every-node and has replicas",
  ],
  ["an interval too short", { nodes: { recover: { every: 1 } } }, "nodes.recover.every"],
  ["a timeout of no command", { nodes: { recover: { timeout: "1s" } } }, "nodes.recover.command"],
  [
    "a wish that is no node",
    { services: [{ type: "a", prefer: ["A b"] }] },
    "services[0].prefer[0]",
  ],
  ["a spread over a value", { services: [{ type: "a", spread: "a=b" }] }, "services[0].spread"],
  ["a fence nobody knows", { services: [{ type: "a", fence: "hope" }] }, "services[0].fence"],
  [
    "services that wait for one another",
    {
      services: [
        { type: "a", after: ["b"] },
        { type: "b", after: ["a"] },
      ],
    },
    "deployments wait for one another: a, b, a",
  ],
  [
    "a fence by a command that the file's nodes do not have",
    { services: [{ type: "a", exclusive: "cluster", fence: "command" }], nodes: {} },
    'deployment a has fence "command", and the cluster file has no nodes.fence',
  ],
])("%s is refused", async (_, value, message) => {
  await expect(compile(value)).rejects.toMatchObject({
    code: "HAL_CONFIG_INVALID",
    message: expect.stringContaining(`cluster.ts: ${message}`),
  });
});
