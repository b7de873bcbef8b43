import { type ClusterSpec, type GraphView, keyOf, type Resource, slotId } from "@halon/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../../testdata/samples.ts";
import { connect, fail } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { dryRun } from "./dry-run.ts";

type Wishes = Partial<ClusterSpec["deployments"][number]>;

function running(spec: ClusterSpec, ...names: readonly string[]): TestCluster {
  const cluster = new TestCluster();
  for (const name of names) cluster.addNode(name);
  cluster.settle();
  cluster.apply(spec);
  cluster.settle();
  return cluster;
}

/** The node is lost, and what follows from that has been decided. */
function lose(cluster: TestCluster, name: string): void {
  cluster.lose(name);
  cluster.tick(1_000);
  cluster.settle();
}

/** `web a b` for each deployment: where it is wanted. */
function places(cluster: TestCluster): string[] {
  const { graph } = cluster.state;
  return graph.list("Deployment").map(({ id }) => {
    const slots = graph.out(`Deployment/${id}`, "places", "ServiceName");
    return [id, ...slots.map(({ attributes }) => attributes.node)].join(" ");
  });
}

function shortfall(cluster: TestCluster, service: string): string | undefined {
  return cluster.state.graph.get("Deployment", service)?.attributes.shortfall;
}

describe("a service that goes with another", () => {
  const spec = clusterSpec([
    deployment("app", { with: ["db"] }),
    deployment("db", { prefer: ["b"] }),
  ]);

  test("is placed where that is, though its name comes first, and follows when that moves", () => {
    const cluster = running(spec, "a", "b", "c");
    expect(places(cluster)).toEqual(["app b", "db b"]);
    lose(cluster, "b");
    expect(places(cluster)).toEqual(["app a", "db a"]);
    expect(cluster.decided("ServiceMoved")).toHaveLength(2);
  });

  test("has no place while that has none, and says so", () => {
    const cluster = running(
      clusterSpec([
        deployment("app", { with: ["db"] }),
        deployment("db", { on: { label: "disk=ssd" } }),
      ]),
      "a",
    );
    expect(places(cluster)).toEqual(["app", "db"]);
    expect(shortfall(cluster, "app")).toBe(
      "0 of 1 on nodes that are up; it goes with db, which is not wanted on a",
    );
    expect(shortfall(cluster, "db")).toContain("and a has no label disk");
    cluster.addNode("b", { disk: "ssd" });
    cluster.settle();
    expect(places(cluster)).toEqual(["app b", "db b"]);
    expect(cluster.real()).toEqual(["app@b#1 running", "db@b#1 running"]);
    expect(shortfall(cluster, "app")).toBeUndefined();
  });
});

describe("a service that stays apart from another", () => {
  const apart = (given: Wishes = {}) =>
    clusterSpec([deployment("batch", { apart: ["web"], ...given }), deployment("web")]);

  test("is placed elsewhere", () => {
    expect(places(running(apart(), "a", "b"))).toEqual(["batch b", "web a"]);
  });

  test("gives way when the other has nowhere else to go", () => {
    const cluster = running(apart({ on: "every-node" }), "a", "b");
    expect(places(cluster)).toEqual(["batch b", "web a"]);
    lose(cluster, "a");
    expect(places(cluster)).toEqual(["batch a", "web b"]);
    expect(cluster.real()).toContain("web@b#1 running");
    expect(cluster.seen()).not.toContain("batch@b#1 running");
  });

  test("stays where it is when the other has a node without it", () => {
    const cluster = running(apart(), "a", "b", "c");
    lose(cluster, "a");
    expect(places(cluster)).toEqual(["batch b", "web c"]);
  });
});

test("of two that stay apart from each other, one takes the place that the other leaves at the same time", () => {
  const cluster = running(clusterSpec([deployment("a", { on: { node: "n1" } })]), "n1", "n2");
  const a = deployment("a", { on: { node: "n2" }, apart: ["b"] });
  const b = deployment("b", { on: { node: "n1" }, apart: ["a"] });
  cluster.apply(clusterSpec([a, b]));
  expect(places(cluster)).toEqual(["a n2", "b n1"]);
});

test("on a node that is drained a place ends when what replaces it runs", () => {
  const cluster = running(clusterSpec([deployment("web")]), "a", "b");
  const operation = cluster.ask("NodeDrainRequested", { node: "a" });
  expect(places(cluster)).toEqual(["web a b"]);
  expect(cluster.real()).toEqual(["web@a#1 running"]);
  cluster.settle();
  expect(places(cluster)).toEqual(["web b"]);
  expect(cluster.real()).toEqual(["web@b#1 running"]);
  expect(cluster.operation(operation).state).toBe("done");
});

describe("a type that requires another", () => {
  const types = [manifest("app", { requires: ["cache"] }), manifest("cache")];
  const spec = clusterSpec([deployment("app"), deployment("cache", { prefer: ["b"] })], { types });

  test("is placed on its node, and starts when that runs", () => {
    const cluster = new TestCluster();
    for (const name of ["a", "b"]) cluster.addNode(name);
    cluster.settle();
    cluster.apply(spec);
    expect(cluster.seen()).toEqual(["cache@b#1 starting"]);
    expect(shortfall(cluster, "app")).toBe("app@b waits for cache, which does not run on b yet");
    cluster.settle();
    expect(cluster.real()).toEqual(["app@b#1 running", "cache@b#1 running"]);
    expect(shortfall(cluster, "app")).toBeUndefined();
  });

  test("that nobody knows is refused", () => {
    const cluster = running(clusterSpec([]), "a");
    const [app] = types;
    const lone = clusterSpec([deployment("app")], { types: app === undefined ? [] : [app] });
    expect(cluster.operation(cluster.apply(lone))).toMatchObject({
      state: "failed",
      reason: "type app requires the type cache, which neither the file nor the cluster knows",
    });
    expect(cluster.seen()).toEqual([]);
  });
});

describe("a service that comes after another", () => {
  const spec = clusterSpec([
    deployment("app", { after: ["db"], on: "every-node" }),
    deployment("db", { on: { node: "a" } }),
  ]);

  test("starts on every node when that runs, and the operation waits for it", () => {
    const cluster = new TestCluster();
    for (const name of ["a", "b"]) cluster.addNode(name);
    cluster.settle();
    const operation = cluster.apply(spec);
    expect(cluster.seen()).toEqual(["db@a#1 starting"]);
    expect(shortfall(cluster, "app")).toBe(
      "app@a waits for db, which is starting on a; app@b waits for db, which is starting on a",
    );
    cluster.settle();
    expect(cluster.real()).toEqual(["app@a#1 running", "app@b#1 running", "db@a#1 running"]);
    expect(cluster.operation(operation).state).toBe("done");
  });

  test("waits for the one on its own node where that is wanted there", () => {
    const both = clusterSpec([
      deployment("app", { after: ["db"], on: { node: "b" } }),
      deployment("db", { on: "every-node" }),
    ]);
    const cluster = new TestCluster();
    for (const name of ["a", "b"]) cluster.addNode(name);
    cluster.settle();
    cluster.apply(both);
    cluster.settle({ hold: ["db@b#1"] });
    expect(cluster.real()).toEqual(["db@a#1 running", "db@b#1 starting"]);
    cluster.settle();
    expect(cluster.real()).toContain("app@b#1 running");
  });

  test("goes on when that ends, and waits for it with its own next start", () => {
    const cluster = running(spec, "a");
    fail(cluster.node("a"), "db@a#1", 0);
    cluster.deliverEvent("a");
    expect(cluster.seen()).toEqual(["app@a#1 running", "db@a#1 failed"]);
    fail(cluster.node("a"), "app@a#1", 20_000);
    cluster.settle();
    expect(cluster.seen()).toEqual(["app@a#1 failed", "db@a#1 failed"]);
    expect(shortfall(cluster, "app")).toBe("app@a waits for db, which is failed on a");
    cluster.drain();
    expect(cluster.real()).toEqual(["app@a#2 running", "db@a#2 running"]);
    expect(shortfall(cluster, "app")).toBeUndefined();
  });

  test("waits while a person has stopped that, and starts with it", () => {
    const cluster = running(clusterSpec([deployment("db")]), "a");
    cluster.ask("ServiceStopRequested", { service: "db" });
    cluster.settle();
    const chain = [deployment("app", { after: ["db"] }), deployment("db")];
    cluster.apply(clusterSpec(chain));
    cluster.settle();
    expect(cluster.real()).toEqual([]);
    expect(shortfall(cluster, "app")).toBe("app@a waits for db, which a person stopped");
    const operation = cluster.ask("ServiceStartRequested", { service: "app" });
    cluster.drain();
    expect(cluster.operation(operation).reason).toBe(
      "timed out waiting for app@a#0: app@a waits for db, which a person stopped",
    );
    cluster.ask("ServiceStartRequested", { service: "db" });
    cluster.settle();
    expect(cluster.real()).toEqual(["app@a#1 running", "db@a#2 running"]);
  });

  test("starts when that turns out to run after all, on a node that is back", () => {
    const kept = clusterSpec(
      [
        deployment("app", { after: ["db"], on: { node: "b" } }),
        deployment("db", { on: { node: "a" }, onNodeLoss: "wait" }),
      ],
      { types: [manifest("app"), manifest("db", { kind: "process" })] },
    );
    const cluster = running(kept, "a", "b");
    lose(cluster, "a");
    fail(cluster.node("b"), "app@b#1", 20_000);
    cluster.settle();
    expect(cluster.seen()).toContain("app@b#1 failed");
    connect(cluster.node("a"));
    cluster.settle();
    expect(cluster.real()).toEqual(["app@b#2 running", "db@a#1 running"]);
  });
});

test("a node that is down keeps its places while the breaker is tripped", () => {
  const cluster = running(clusterSpec([deployment("web", { prefer: ["a"] })]), "a", "b", "c", "d");
  for (const name of ["a", "b", "c"]) cluster.lose(name);
  cluster.tick(1_000);
  cluster.settle();
  expect(places(cluster)).toEqual(["web a"]);
  expect(shortfall(cluster, "web")).toContain(
    "0 of 1 on nodes that are up; its place on a is kept",
  );
  expect(dryRun(cluster.state.graph, "web", "d")[0]?.would).toBe("refuse");
});

test("an apply that contradicts itself fails with both names, and changes nothing", () => {
  const cluster = running(clusterSpec([deployment("web")]), "a");
  const before = places(cluster);
  const circle = [deployment("web", { after: ["db"] }), deployment("db", { after: ["web"] })];
  expect(cluster.operation(cluster.apply(clusterSpec(circle)))).toMatchObject({
    state: "failed",
    reason:
      "deployments wait for one another: db, web, db; none would start. Remove one from after",
  });
  expect(places(cluster)).toEqual(before);
});

test("the policy on lost nodes of a cluster file is kept until another one has it", () => {
  const cluster = running(clusterSpec([]), "a");
  const policy = () => cluster.state.graph.list("Cluster")[0]?.attributes.nodes;
  const nodes = {
    recoverEveryMs: 1_000,
    recoverAttempts: 2,
    breakerNodes: 2,
    breakerShare: 0.5,
    breakerWindowMs: 1_000,
  };
  cluster.apply(clusterSpec([], { nodes }));
  cluster.apply(clusterSpec([]));
  expect(policy()).toEqual(nodes);
});

test("a service name that is taken on one node is given on another", () => {
  const types = ["one", "two"].map((name) => manifest(name, { serviceName: "shared" }));
  const spec = clusterSpec([deployment("one"), deployment("two", { prefer: ["a"] })], { types });
  expect(places(running(spec, "a", "b"))).toEqual(["one a", "two b"]);
});

describe("whatever is wished for and whatever nodes do", () => {
  const names = ["n1", "n2", "n3", "n4", "n5"];
  const zones: Readonly<Record<string, { readonly zone: string }>> = {
    n1: { zone: "x" },
    n2: { zone: "x" },
    n3: { zone: "y" },
    n4: { zone: "y" },
  };
  const services = ["s1", "s2", "s3", "s4"];
  const some = (from: readonly string[]) =>
    fc.subarray([...from], { maxLength: Math.min(2, from.length) });
  /** A wish names only services before it, so that nothing goes in circles. */
  const wishes = services.map((name, position) =>
    fc.record({
      name: fc.constant(name),
      on: fc.constantFrom<Wishes["on"] & {}>("any-node", "every-node", { label: "zone=x" }),
      replicas: fc.integer({ min: 1, max: 4 }),
      onNodeLoss: fc.constantFrom("move" as const, "move" as const, "wait" as const),
      prefer: some([...names, "zone=y"]),
      spread: fc.constantFrom("zone", "none"),
      with: position % 2 === 1 ? some(services.slice(0, position)) : fc.constant<string[]>([]),
      apart: position % 2 === 0 ? some(services.slice(0, position)) : fc.constant<string[]>([]),
      after: some(services.slice(0, position)),
    }),
  );
  const file = fc.tuple(...wishes).map((all) =>
    clusterSpec(
      all.map(({ name, replicas, ...given }) =>
        // Every node is a number already.
        deployment(name, given.on === "every-node" ? given : { ...given, replicas }),
      ),
    ),
  );
  const event = fc.oneof(
    fc.record({ lose: fc.constantFrom(...names) }),
    fc.record({ back: fc.constantFrom(...names) }),
    fc.record({ apply: file }),
  );

  function act(cluster: TestCluster, does: { lose?: string; back?: string; apply?: ClusterSpec }) {
    if (does.lose !== undefined && cluster.node(does.lose).isLinked) lose(cluster, does.lose);
    if (does.back !== undefined && !cluster.node(does.back).isLinked) cluster.connect(does.back);
    const applied = does.apply && cluster.operation(cluster.apply(does.apply));
    expect(applied?.reason).toBeUndefined();
    cluster.settle();
  }

  function start(first: ClusterSpec): TestCluster {
    const cluster = new TestCluster();
    // Too many losses would trip the breaker, which has tests of its own.
    const nodes = {
      recoverEveryMs: 86_400_000,
      recoverAttempts: 0,
      breakerNodes: 10_000,
      breakerShare: 1,
      breakerWindowMs: 1_000,
    };
    cluster.apply({ ...first, nodes });
    for (const name of names) cluster.addNode(name, zones[name]);
    cluster.settle();
    return cluster;
  }

  function held(cluster: TestCluster) {
    const { graph } = cluster.state;
    return graph
      .list("Deployment")
      .flatMap((wanted) =>
        graph
          .out(`Deployment/${wanted.id}`, "places", "ServiceName")
          .map(({ attributes }) => ({ wanted, node: attributes.node })),
      );
  }

  /** What the cluster file says of the place, in other words than those of the rules. */
  function mayBeAt(graph: GraphView, wanted: Resource<"Deployment">, node: string): boolean {
    const there = (service: string) =>
      graph.related(
        keyOf("Deployment", service),
        "places",
        keyOf("ServiceName", slotId(service, node)),
      );
    const { on, with: partners = [], apart = [] } = wanted.attributes;
    const isAmong = typeof on === "string" || zones[node]?.zone === "x";
    return isAmong && partners.every(there) && !apart.some(there);
  }

  test("conditions hold where a service is placed, on no more nodes than are asked for", () => {
    fc.assert(
      fc.property(file, fc.array(event, { maxLength: 8 }), (first, history) => {
        const cluster = start(first);
        for (const does of history) {
          act(cluster, does);
          const { graph } = cluster.state;
          for (const { wanted, node } of held(cluster)) {
            const deployment = graph.get("Deployment", wanted.id);
            expect(deployment && mayBeAt(graph, deployment, node)).toBe(true);
          }
          for (const { id, attributes } of graph.list("Deployment")) {
            const count = held(cluster).filter(({ wanted }) => wanted.id === id).length;
            const max = attributes.on === "every-node" ? names.length : (attributes.replicas ?? 1);
            expect(count).toBeLessThanOrEqual(max);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  test("the same cluster file again moves nothing", () => {
    fc.assert(
      fc.property(file, fc.array(event, { maxLength: 6 }), (first, history) => {
        const cluster = start(first);
        for (const does of history) act(cluster, does);
        const last = history.findLast((does) => "apply" in does);
        const before = places(cluster);
        act(cluster, { apply: last !== undefined && "apply" in last ? last.apply : first });
        expect(places(cluster)).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });

  test("when a node goes or comes back, only what was there moves, and what can no longer stay", () => {
    fc.assert(
      fc.property(file, fc.array(event, { maxLength: 4 }), (first, history) => {
        const cluster = start(first);
        for (const does of history) act(cluster, does);
        for (const name of names) {
          const before = held(cluster);
          act(cluster, cluster.node(name).isLinked ? { lose: name } : { back: name });
          const { graph } = cluster.state;
          const after = new Set(held(cluster).map(({ wanted, node }) => `${wanted.id}@${node}`));
          for (const { wanted, node } of before) {
            const isKept = after.has(`${wanted.id}@${node}`);
            const isDown = graph.get("Node", node)?.attributes.state === "down";
            if (isKept || isDown) continue;
            expect(mayBeAt(graph, wanted, node)).toBe(false);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
