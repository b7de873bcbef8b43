import { createGraph, type Graph } from "@halon/graph";
import { expect, test } from "vitest";
import { clusterStatus } from "./status.ts";

const leadership = { clusterId: "c", leader: "node-1", epoch: 1 };

function graphOf(options: {
  readonly nodeState?: "up" | "down";
  readonly halted?: boolean;
  readonly shortfall?: string;
}): Graph {
  const graph = createGraph();
  graph.transact((update) => {
    update.put("Node", "node-1", {
      address: "127.0.0.1:1",
      role: "tracking",
      state: options.nodeState ?? "up",
      incarnation: 1,
      labels: {},
      version: "0.1.0",
      since: 0,
    });
    update.put("ServiceName", "web@node-1", {
      service: "web",
      node: "node-1",
      incarnation: 3,
      restarts: 2,
      ...(options.halted === true ? { halted: true } : {}),
    });
    update.put("ServiceInstance", "web@node-1#3", {
      service: "web",
      type: "web",
      version: "1.0.0",
      node: "node-1",
      slot: "web@node-1",
      incarnation: 3,
      state: options.halted === true ? "stopped" : "running",
      health: "ok",
      osPid: 42,
      since: 0,
    });
    update.relate("ServiceInstance/web@node-1#3", "holds", "ServiceName/web@node-1");
    if (options.shortfall !== undefined) {
      update.put("Deployment", "web", {
        type: "web",
        on: "any-node",
        onNodeLoss: "move",
        shortfall: options.shortfall,
      });
    }
  });
  return graph;
}

test("a service's row tells instance, process and restarts", () => {
  expect(clusterStatus(graphOf({}), leadership).services).toEqual([
    {
      service: "web",
      type: "web",
      version: "1.0.0",
      node: "node-1",
      instance: "web@node-1#3",
      incarnation: 3,
      state: "running",
      health: "ok",
      osPid: 42,
      restarts: 2,
      since: "1970-01-01T00:00:00.000Z",
    },
  ]);
});

test.each([
  { name: "all is well", options: {}, state: "healthy", reasons: undefined },
  {
    name: "a person stopped a service",
    options: { halted: true },
    state: "healthy",
    reasons: undefined,
  },
  {
    name: "a node is down",
    options: { nodeState: "down" as const },
    state: "degraded",
    reasons: ["node node-1 is down"],
  },
  {
    name: "too few nodes",
    options: { shortfall: "0 of 1" },
    state: "degraded",
    reasons: ["web: 0 of 1"],
  },
])("the cluster's state says so when $name", ({ options, state, reasons }) => {
  const { cluster } = clusterStatus(graphOf(options), leadership);
  expect([cluster.state, cluster.reasons]).toEqual([state, reasons]);
});

test("without a coordinator the cluster is unavailable", () => {
  expect(clusterStatus(graphOf({}), { ...leadership, leader: null }).cluster.state).toBe(
    "unavailable",
  );
});
