import { createGraph, type Graph } from "@halon/graph";
import { type Doubt, RestartPolicy } from "@halon/protocol";
import { expect, test } from "vitest";
import { clusterStatus } from "./status.ts";

const leadership = { clusterId: "c", leader: "node-1", epoch: 1 };

function graphOf(options: {
  readonly nodeState?: "up" | "down";
  readonly halted?: boolean;
  readonly shortfall?: string;
  readonly notice?: string;
  readonly doubts?: readonly Doubt[];
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
      ...(options.notice === undefined ? {} : { notice: options.notice }),
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
      ...(options.doubts === undefined ? {} : { doubts: [...options.doubts] }),
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

test("a service's row tells who doubts it, and why", () => {
  const silent = { since: 0, reason: "no answer within 2 s (3 times)" };
  const doubts = [{ by: "node-2", ...silent }];
  const [row] = clusterStatus(graphOf({ doubts }), leadership).services;
  expect(row?.reason).toBe("doubted by node-2: no answer within 2 s (3 times)");
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
    name: "a service has ended by itself",
    options: { halted: true, notice: "it has ended by itself: done" },
    state: "healthy",
    reasons: undefined,
  },
  {
    name: "a configuration was taken back",
    options: { notice: "configuration b was taken back to a" },
    state: "degraded",
    reasons: ["web on node-1: configuration b was taken back to a"],
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

test.each([
  [{ halted: true }, "stopped by a person"],
  [{ halted: true, notice: "it has ended by itself: done" }, "it has ended by itself: done"],
  [{ notice: "a configuration was taken back" }, "a configuration was taken back"],
])("the row of a service with %j says why", (options, reason) => {
  expect(clusterStatus(graphOf(options), leadership).services).toMatchObject([{ reason }]);
});

test("without a coordinator the cluster is unavailable", () => {
  expect(clusterStatus(graphOf({}), { ...leadership, leader: null }).cluster.state).toBe(
    "unavailable",
  );
});

/** The graph of one node, changed. */
function changed(change: Parameters<Graph["transact"]>[0]): Graph {
  const graph = graphOf({});
  graph.transact(change);
  return graph;
}

test.each([
  {
    name: "drained",
    mode: "draining" as const,
    state: "up" as const,
    shown: "draining",
    reasons: undefined,
  },
  {
    name: "in maintenance",
    mode: "maintenance" as const,
    state: "up" as const,
    shown: "maintenance",
    reasons: undefined,
  },
  {
    name: "down in its maintenance",
    mode: "maintenance" as const,
    state: "down" as const,
    shown: "down",
    reasons: ["node node-1 is down, in maintenance"],
  },
  {
    name: "removed",
    mode: "decommissioned" as const,
    state: "down" as const,
    shown: "down",
    reasons: undefined,
  },
])("a node that is $name is shown as $shown", ({ mode, state, shown, reasons }) => {
  const graph = changed((update) => update.patch("Node", "node-1", { mode, state }));
  const { cluster, nodes } = clusterStatus(graph, leadership);
  expect([nodes[0]?.state, cluster.reasons]).toEqual([shown, reasons]);
});

test("a node that is drained says since when and why, and not since when it is up", () => {
  const drained = { mode: "draining", modeSince: 7_000, modeReason: "new disks" } as const;
  const rowOf = (state: "up" | "down") => {
    const known = { since: 1_000, reason: "silent", state, ...drained };
    const graph = changed((update) => update.patch("Node", "node-1", known));
    return clusterStatus(graph, leadership).nodes[0];
  };
  expect(rowOf("up")).toMatchObject({ since: "1970-01-01T00:00:07.000Z", reason: "new disks" });
  expect(rowOf("down")).toMatchObject({ since: "1970-01-01T00:00:01.000Z", reason: "silent" });
});

test("a node that is being brought back says how far that is", () => {
  const recovery = { state: "transient", attempt: 2, of: 5 } as const;
  const graph = changed((update) => update.patch("Node", "node-1", { state: "down", recovery }));
  const { cluster, nodes } = clusterStatus(graph, leadership);
  expect(nodes[0]?.recovery).toBe("transient, attempt 2 of 5");
  expect(cluster.reasons).toEqual(["node node-1 is down, transient, attempt 2 of 5"]);
});

test("a tripped breaker is the first reason, and names the command that ends it", () => {
  const breaker = { since: 0, reason: "3 of 5 nodes were lost within 60 s: a, b, c", nodes: ["a"] };
  const graph = changed((update) =>
    update.put("Cluster", "c", { name: "c", createdAt: 0, breaker }),
  );
  const { cluster } = clusterStatus(graph, leadership);
  expect(cluster).toMatchObject({
    state: "degraded",
    breaker: { since: "1970-01-01T00:00:00.000Z", nodes: ["a"] },
    reasons: [expect.stringMatching(/^3 of 5 nodes were lost.*`halonctl breaker reset`$/)],
  });
});

/** The graph with the supervisor of its node as a part, in this state. */
function withPart(state: "running" | "failed" | "starting", nodeState: "up" | "down"): Graph {
  return changed((update) => {
    update.patch("Node", "node-1", { state: nodeState });
    const at = { service: "halon-supervisor", node: "node-1" };
    update.put("ServiceName", "halon-supervisor@node-1", {
      ...at,
      incarnation: 1_001,
      restarts: 0,
    });
    update.put("ServiceInstance", "halon-supervisor@node-1#1001", {
      ...at,
      type: "halon-supervisor",
      version: "0.1.0",
      slot: "halon-supervisor@node-1",
      incarnation: 1_001,
      state,
      health: "ok",
      since: 0,
    });
    update.relate(
      "ServiceInstance/halon-supervisor@node-1#1001",
      "holds",
      "ServiceName/halon-supervisor@node-1",
    );
  });
}

test("parts of Halon stand below the services", () => {
  const { services } = clusterStatus(withPart("running", "up"), leadership);
  expect(services.map(({ service }) => service)).toEqual(["web", "halon-supervisor"]);
});

test.each([
  { state: "starting" as const, node: "up" as const, reasons: undefined },
  {
    state: "failed" as const,
    node: "up" as const,
    reasons: ["halon-supervisor on node-1 is failed"],
  },
  { state: "failed" as const, node: "down" as const, reasons: ["node node-1 is down"] },
])(
  "a part that is $state on a node that is $node gives the reasons $reasons",
  ({ state, node, reasons }) => {
    expect(clusterStatus(withPart(state, node), leadership).cluster.reasons).toEqual(reasons);
  },
);

test("a service that was not started yet says what it waits for", () => {
  const reason = "web@node-1 waits for db, which is starting on node-1";
  const graph = graphOf({ shortfall: reason });
  graph.transact((update) => {
    update.remove("ServiceInstance", "web@node-1#3");
    update.put("Service", "web", {
      serviceName: "web",
      version: "1.0.0",
      kind: "worker",
      blob: "0".repeat(64),
      restart: RestartPolicy.parse({}),
      startTimeoutMs: 1,
      stopTimeoutMs: 1,
      checkEveryMs: 1,
      resourceKinds: [],
    });
    update.relate("ServiceName/web@node-1", "wants", "Service/web");
  });
  expect(clusterStatus(graph, leadership).services).toMatchObject([{ state: "stopped", reason }]);
});

test("alerts stand with the most severe first, then the oldest", () => {
  const graph = graphOf({});
  const alert = { key: "k", rule: "mine/rule", text: "look", count: 1 };
  graph.transact((update) => {
    update.put("Alert", "mine/a", { ...alert, severity: "info", since: 0 });
    update.put("Alert", "mine/b", { ...alert, severity: "warning", since: 2_000 });
    update.put("Alert", "mine/c", { ...alert, severity: "critical", since: 9_000 });
    update.put("Alert", "mine/d", { ...alert, severity: "warning", since: 1_000 });
  });
  const { alerts } = clusterStatus(graph, leadership);
  expect(alerts.map((each) => each.alert)).toEqual(["mine/c", "mine/d", "mine/b", "mine/a"]);
  expect(alerts[1]).toEqual({
    ...{ ...alert, alert: "mine/d", severity: "warning" },
    since: "1970-01-01T00:00:01.000Z",
  });
});
