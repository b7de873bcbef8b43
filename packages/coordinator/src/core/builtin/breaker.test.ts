import { NodePolicy } from "@halon/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clusterSpec, deployment } from "../../../testdata/samples.ts";
import { restartNode } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { type Losses, massLoss } from "./breaker.ts";

const policy = NodePolicy.parse({});
const now = 1_000_000;

const losses = fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.nat(now), { maxKeys: 20 });

describe("the breaker", () => {
  test("trips exactly on enough nodes, and more than their share, within the window", () => {
    fc.assert(
      fc.property(
        losses,
        fc.nat(40),
        fc.integer({ min: 2, max: 6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 100, max: now }),
        (lost, others, breakerNodes, breakerShare, breakerWindowMs) => {
          const total = Object.keys(lost).length + others;
          const input = { losses: lost, now, total };
          const tripped = massLoss({
            ...input,
            policy: { breakerNodes, breakerShare, breakerWindowMs },
          });
          const recent = Object.keys(lost).filter(
            (node) => (lost[node] ?? 0) > now - breakerWindowMs,
          );
          const isMass = recent.length >= breakerNodes && recent.length > breakerShare * total;
          expect(tripped).toEqual(isMass ? recent.sort() : []);
        },
      ),
    );
  });

  test("that trips, trips on any further loss of the moment too", () => {
    fc.assert(
      fc.property(losses, fc.nat(20), (lost, others) => {
        const total = Object.keys(lost).length + others + 1;
        const more: Losses = { ...lost, another: now };
        if (massLoss({ losses: lost, now, total, policy }).length === 0) return;
        expect(massLoss({ losses: more, now, total, policy })).toContain("another");
      }),
    );
  });
});

const names = ["a", "b", "c", "d", "e"] as const;
/** One service that moves for each node, each on its own. */
const spec = clusterSpec([deployment("web", { replicas: 5 })]);
const smaller = clusterSpec([deployment("web", { replicas: 3 })]);

function five(spec_ = spec): TestCluster {
  const cluster = new TestCluster();
  for (const name of names) cluster.addNode(name);
  cluster.settle();
  cluster.apply(spec_);
  cluster.settle();
  return cluster;
}

const breakerOf = (cluster: TestCluster) =>
  cluster.state.graph.list("Cluster")[0]?.attributes.breaker;
const placesOf = (cluster: TestCluster) =>
  cluster.state.graph
    .out("Deployment/web", "places", "ServiceName")
    .map(({ attributes }) => attributes.node);

function loseMany(cluster: TestCluster, ...lost: readonly string[]): void {
  for (const name of lost) {
    cluster.lose(name);
    cluster.tick(100);
  }
  cluster.tick(1_000);
  cluster.settle();
}

describe("many nodes lost at once", () => {
  test("trip the breaker: it is seen, said once, and nothing moves", () => {
    const cluster = five(smaller);
    const before = placesOf(cluster);
    loseMany(cluster, "a", "b", "c");
    expect(breakerOf(cluster)).toMatchObject({
      nodes: ["a", "b", "c"],
      reason: "3 of 5 nodes were lost within 60 s: a, b, c",
    });
    expect(cluster.decided("BreakerTripped")).toMatchObject([{ data: { nodes: ["a", "b", "c"] } }]);
    expect(placesOf(cluster)).toEqual(before);
    expect(cluster.decided("ServiceMoved")).toEqual([]);
    expect(cluster.whyOf("NodeLossSettled")).toContain("the breaker is tripped");
  });

  test("move nothing by another way either: an apply and the inventory of another node leave all in place", () => {
    const cluster = five(smaller);
    const before = placesOf(cluster);
    loseMany(cluster, "a", "b", "c");
    cluster.apply(smaller);
    cluster.cut("d");
    cluster.connect("d");
    cluster.settle();
    expect(placesOf(cluster)).toEqual(before);
  });

  test("two of five are fewer than three, and move", () => {
    const cluster = five(smaller);
    loseMany(cluster, "a", "b");
    expect(breakerOf(cluster)).toBeUndefined();
    expect(placesOf(cluster)).toEqual(["c", "d", "e"]);
  });

  test("three that are lost one a minute do not trip it", () => {
    const cluster = five(smaller);
    for (const name of ["a", "b", "c"]) {
      cluster.lose(name);
      cluster.tick(61_000);
    }
    expect(breakerOf(cluster)).toBeUndefined();
  });

  test("nodes that leave by themselves are not counted", () => {
    const cluster = five(smaller);
    for (const node of ["a", "b"]) cluster.observe("NodeLeft", { node, incarnation: 1 });
    loseMany(cluster, "c", "d");
    expect(breakerOf(cluster)).toBeUndefined();
  });

  test("a node in maintenance is not counted: it may be gone", () => {
    const cluster = five(smaller);
    cluster.ask("NodeMaintenanceRequested", { node: "c", on: true });
    loseMany(cluster, "c", "d", "e");
    expect(breakerOf(cluster)).toBeUndefined();
  });

  test("a person's reset lets all move, and is an operation that ends done", () => {
    const cluster = five(smaller);
    loseMany(cluster, "a", "b", "c");
    const operation = cluster.ask("BreakerResetRequested", { reason: "the rack is gone" });
    cluster.settle();
    expect(cluster.operation(operation)).toMatchObject({ action: "breaker", state: "done" });
    expect(breakerOf(cluster)).toBeUndefined();
    expect(placesOf(cluster)).toEqual(["a", "d", "e"]);
    expect(cluster.decided("BreakerReset")).toMatchObject([
      { data: { reason: "the rack is gone" } },
    ]);
  });

  test("after a reset the same losses do not trip it again with the next one", () => {
    const cluster = five(smaller);
    loseMany(cluster, "a", "b", "c");
    cluster.ask("BreakerResetRequested", {});
    loseMany(cluster, "d");
    expect(breakerOf(cluster)).toBeUndefined();
  });

  test("back, they reset it by themselves; what ran there runs on", () => {
    const cluster = five(smaller);
    const before = placesOf(cluster);
    loseMany(cluster, "a", "b", "c");
    for (const name of ["a", "b"]) cluster.connect(name);
    cluster.settle();
    expect(breakerOf(cluster)).toMatchObject({ nodes: ["c"] });
    cluster.connect("c");
    cluster.settle();
    expect(breakerOf(cluster)).toBeUndefined();
    expect(placesOf(cluster)).toEqual(before);
    expect(cluster.decided("ServiceMoved")).toEqual([]);
  });

  test("a node that comes back empty under a tripped breaker starts its own services again", () => {
    const cluster = five();
    loseMany(cluster, "a", "b", "c");
    restartNode(cluster.node("a"));
    cluster.connect("a");
    cluster.settle();
    expect(cluster.real()).toContain("web@a#2 running");
    expect(breakerOf(cluster)).toMatchObject({ nodes: ["b", "c"] });
  });

  test("further losses while it is tripped are waited for too", () => {
    const cluster = five(smaller);
    loseMany(cluster, "a", "b", "c");
    loseMany(cluster, "d");
    expect(breakerOf(cluster)).toMatchObject({ nodes: ["a", "b", "c", "d"] });
  });

  test("the policy of the cluster file is that of the breaker", () => {
    const nodes = NodePolicy.parse({ breakerNodes: 2, breakerShare: 0.2 });
    const cluster = five({ ...smaller, nodes });
    loseMany(cluster, "a", "b");
    expect(breakerOf(cluster)).toMatchObject({ nodes: ["a", "b"] });
  });
});

test("a reset of a breaker that is not tripped is done, and changes nothing", () => {
  const cluster = five();
  const operation = cluster.ask("BreakerResetRequested", {});
  expect(cluster.operation(operation).state).toBe("done");
  expect(cluster.decided("BreakerReset")).toEqual([]);
});
