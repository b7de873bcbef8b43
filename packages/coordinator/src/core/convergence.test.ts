import { compareText } from "@halon/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { clusterSpec, deployment, hashLike, manifest } from "../../testdata/samples.ts";
import { begin, fail, finish, restartNode, underWay } from "../../testdata/scripted-node.ts";
import { TestCluster } from "../../testdata/test-cluster.ts";
import { decodeSnapshot, emptyState, encodeSnapshot, fold } from "./index.ts";

const names = ["a", "b", "c"] as const;
const types = [manifest("web"), manifest("db", { kind: "process" }), manifest("log")];

/** Cluster files that follow each other; the last one applied is what must run in the end. */
const specs = [
  clusterSpec(
    [
      deployment("web", { replicas: 2 }),
      deployment("db", { on: { label: "disk=ssd" }, onNodeLoss: "wait" }),
      deployment("log", { on: "every-node" }),
    ],
    { types },
  ),
  clusterSpec(
    [
      deployment("web", { config: { port: 1 }, configHash: hashLike("port 1") }),
      deployment("log", { on: "every-node" }),
    ],
    { types },
  ),
  clusterSpec([deployment("web", { replicas: 3 }), deployment("db", { on: { node: "b" } })], {
    types: [manifest("web", { version: "1.1.0" }), ...types.slice(1)],
  }),
];

type Step = (cluster: TestCluster, name: string, x: number) => void;

const steps: Readonly<Record<string, Step>> = {
  receive: (cluster, name) => cluster.deliverCommand(name),
  begin: (cluster, name) => begin(cluster.node(name)),
  event: (cluster, name) => void cluster.deliverEvent(name),
  finish: (cluster, name, x) => {
    const moving = underWay(cluster.node(name));
    const chosen = moving[x % Math.max(1, moving.length)];
    if (chosen !== undefined) finish(cluster.node(name), chosen.instance);
  },
  fail: (cluster, name, x) => {
    const present = Object.keys(cluster.node(name).running).sort(compareText);
    const chosen = present[x % Math.max(1, present.length)];
    if (chosen !== undefined) fail(cluster.node(name), chosen, 20_000 * (x % 2));
  },
  cut: (cluster, name) => cluster.cut(name),
  connect: (cluster, name) => reconnect(cluster, name),
  lose: (cluster, name) => {
    if (!cluster.node(name).isLinked) cluster.lose(name);
  },
  restart: (cluster, name) => {
    cluster.cut(name);
    restartNode(cluster.node(name));
  },
  tick: (cluster, _, x) => cluster.tick(x * 40),
  apply: (cluster, _, x) => void cluster.apply(specs[x % specs.length] ?? clusterSpec([])),
  decide: (cluster, node, x) => {
    const asks = [
      () => cluster.ask("NodeDrainRequested", { node }),
      () => cluster.ask("NodeResumeRequested", { node }),
      () => cluster.ask("NodeMaintenanceRequested", { node, on: x % 2 === 0 }),
      () => cluster.ask("NodeRemoveRequested", { node }),
      () => cluster.ask("BreakerResetRequested", {}),
    ];
    asks[x % asks.length]?.();
  },
  doubt: (cluster, node, x) => {
    const { incarnation } = cluster.node(node);
    const type = x % 2 === 0 ? "NodeSuspected" : "NodeTrusted";
    cluster.observe(type, { node, incarnation, reason: "a beat is late" });
  },
  ask: (cluster, name, x) => {
    const service = ["web", "db", "log"][x % 3] ?? "web";
    const verb = ["Restart", "Check", "Status", "Start"][x % 4] ?? "Restart";
    cluster.ask(`Service${verb}Requested`, x % 5 === 0 ? { service, on: name } : { service });
  },
};

const weights: Readonly<Record<string, number>> = {
  receive: 6,
  begin: 6,
  event: 9,
  finish: 6,
  tick: 3,
};
const step = fc.record({
  does: fc.oneof(
    ...Object.keys(steps).map((name) => ({
      weight: weights[name] ?? 1,
      arbitrary: fc.constant(name),
    })),
  ),
  node: fc.constantFrom(...names),
  x: fc.nat(29),
});

function reconnect(cluster: TestCluster, name: string): void {
  const node = cluster.node(name);
  if (node.isLinked) return;
  while (node.inbox.length > 0) begin(node);
  cluster.connect(name);
}

/** What must run in the end, by service: on which nodes, or how often. */
function wanted(cluster: TestCluster): string[] {
  return cluster.state.graph
    .list("Deployment")
    .flatMap(({ id }) => cluster.state.graph.out(`Deployment/${id}`, "places", "ServiceName"))
    .filter(({ attributes }) => attributes.broken === undefined)
    .map(({ id }) => id)
    .sort(compareText);
}

function heal(cluster: TestCluster): void {
  for (const node of names) {
    cluster.ask("NodeResumeRequested", { node });
    const { incarnation } = cluster.node(node);
    cluster.observe("NodeTrusted", { node, incarnation, reason: "it is heard" });
    // A node that was removed, or marked down over a link that outlived it, attaches again.
    if (cluster.state.graph.get("Node", node)?.attributes.state !== "up") cluster.cut(node);
    reconnect(cluster, node);
  }
  cluster.drain();
}

function real(cluster: TestCluster): string[] {
  return cluster.real().map((entry) => entry.slice(0, entry.indexOf("#")));
}

test("whatever happens to three nodes, healed they run what is wanted, once each, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 150 }), (history) => {
      const cluster = new TestCluster();
      for (const name of names) cluster.addNode(name, name === "a" ? { disk: "ssd" } : {});
      cluster.settle();
      cluster.apply(specs[0] ?? clusterSpec([]));
      for (const { does, node, x } of history) steps[does]?.(cluster, node, x);
      heal(cluster);
      expect(real(cluster)).toEqual(wanted(cluster));
      const seen = cluster.seen().filter((entry) => !/ (stopped|failed|broken)$/.test(entry));
      expect(seen).toEqual(cluster.real());
      expect(cluster.state.outbox.size).toBe(0);
      expect(cluster.state.graph.list("Operation", { state: "running" })).toEqual([]);
      const { graph } = cluster.state;
      expect(
        graph.list("Deployment").flatMap(({ attributes }) => attributes.shortfall ?? []),
      ).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("the records alone give the same state, from the start and from any snapshot", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), fc.nat(1_000), (history, at) => {
      const cluster = new TestCluster();
      for (const name of names) cluster.addNode(name);
      cluster.apply(specs[0] ?? clusterSpec([]));
      for (const { does, node, x } of history) steps[does]?.(cluster, node, x);
      const records = cluster.records.map((record) => JSON.parse(JSON.stringify(record)));
      const live = encodeSnapshot(cluster.state);
      let state = emptyState();
      records.forEach((record, position) => {
        fold(state, record);
        if (position === at % records.length) state = decodeSnapshot(encodeSnapshot(state));
      });
      expect(encodeSnapshot(state)).toBe(live);
    }),
    { numRuns: 60 },
  );
});
