import type { Command } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../../testdata/samples.ts";
import { connect, emit, fail, restartNode } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { leaseEndsInMs, leaseMs } from "./exclusive.ts";

type Given = Parameters<typeof deployment>[1];

const specOf = (given: Given = {}, more: Parameters<typeof clusterSpec>[1] = {}) =>
  clusterSpec([deployment("cron", { exclusive: "cluster", ...given })], {
    types: [manifest("cron", { kind: "process" })],
    ...more,
  });

/** The exclusive service `cron` runs on `a`; `b` and `c` are up. */
function running(spec = specOf()): TestCluster {
  const cluster = new TestCluster();
  for (const name of ["a", "b", "c"]) cluster.addNode(name);
  cluster.settle();
  cluster.apply(spec);
  cluster.settle();
  return cluster;
}

const tokenOf = (cluster: TestCluster) =>
  cluster.state.graph.get("Deployment", "cron")?.attributes.token;
const starts = (cluster: TestCluster): readonly Command[] =>
  cluster.records
    .flatMap(({ decisions }) => decisions.flatMap(({ firings }) => firings))
    .flatMap(({ commands }) => commands)
    .filter(({ action }) => action.type === "StartService");

/** The node is lost; its last lease was granted so long ago. */
function lose(cluster: TestCluster, name: string, leaseAgeMs?: number): void {
  cluster.cut(name);
  const { incarnation } = cluster.node(name);
  const age = leaseAgeMs === undefined ? {} : { leaseAgeMs };
  cluster.observe("NodeLost", { node: name, incarnation, reason: "silent", ...age });
}

/** Time passes, and what follows from it. */
function pass(cluster: TestCluster, ms: number): void {
  cluster.tick(ms);
  cluster.settle();
  // What was decided to be due at once.
  cluster.tick(0);
  cluster.settle();
}

describe("the token of an exclusive service", () => {
  test("goes with each start, to the node and into the graph", () => {
    const cluster = running();
    expect(starts(cluster).map(({ action }) => action)).toMatchObject([
      { instance: "cron@a#1", lease: { token: 1, leaseMs } },
    ]);
    expect(cluster.instance("cron@a#1").token).toBe(1);
    expect(tokenOf(cluster)).toBe(1);
  });

  test("grows with a restart after a failure, with a move, and over the removal of its deployment", () => {
    const cluster = running();
    fail(cluster.node("a"), "cron@a#1", 20_000);
    cluster.settle();
    expect(cluster.instance("cron@a#2").token).toBe(2);
    cluster.apply(specOf({ on: { node: "b" } }));
    cluster.settle();
    expect(cluster.instance("cron@b#1").token).toBe(3);
    cluster.apply(clusterSpec([]));
    cluster.settle();
    cluster.apply(specOf());
    cluster.settle();
    const tokens = starts(cluster).flatMap(({ action }) =>
      action.type === "StartService" ? [action.lease?.token] : [],
    );
    expect(tokens).toEqual([1, 2, 3, 4]);
  });
});

describe("a service that becomes exclusive", () => {
  test("keeps one of its places, and starts there under a lease when all others have ended", () => {
    const cluster = running(clusterSpec([deployment("cron", { replicas: 3 })]));
    expect(cluster.real()).toHaveLength(3);
    cluster.apply(specOf());
    cluster.settle({ hold: ["cron@c#1", "cron@b#1"] });
    expect(cluster.real().filter((each) => each.endsWith("running"))).toEqual([]);
    cluster.settle();
    expect(cluster.real()).toHaveLength(1);
    expect(tokenOf(cluster)).toBe(1);
  });

  test("waits for a node that is down, where it runs without a lease, until the node is back or removed", () => {
    const cluster = running(clusterSpec([deployment("cron", { replicas: 2 })]));
    lose(cluster, "a");
    cluster.apply(specOf());
    pass(cluster, 60_000);
    expect(tokenOf(cluster)).toBeUndefined();
    cluster.ask("NodeRemoveRequested", { node: "a" });
    cluster.settle();
    pass(cluster, 1_000);
    expect(tokenOf(cluster)).toBe(1);
    expect(cluster.real().filter((each) => !each.startsWith("cron@a"))).toHaveLength(1);
  });
});

describe("an exclusive service whose node is lost", () => {
  test.each([
    { name: "nothing is known of its leases", age: undefined, ms: 2_600 },
    { name: "its last lease was granted a second ago", age: 1_000, ms: 1_600 },
    { name: "its last lease is long over", age: 10_000, ms: 300 },
  ])("starts elsewhere after $ms ms, and not before, when $name", ({ age, ms }) => {
    const cluster = running();
    lose(cluster, "a", age);
    pass(cluster, ms - 1);
    expect(starts(cluster)).toHaveLength(1);
    pass(cluster, 1);
    expect(starts(cluster).at(-1)?.action).toMatchObject({
      instance: "cron@b#1",
      lease: { token: 2 },
    });
    expect(cluster.instance("cron@b#1").state).toBe("running");
  });

  test("never waits less than a lease by a slow clock, and some time for the process to end", () => {
    expect(leaseEndsInMs(undefined)).toBe(2_600);
    expect(leaseEndsInMs(0)).toBe(2_600);
    expect(leaseEndsInMs(2_599)).toBe(1);
    expect(leaseEndsInMs(1_000_000)).toBe(0);
  });

  test("keeps its place until its lease is over: it stays where it is when the node is back before", () => {
    const cluster = running();
    lose(cluster, "a");
    pass(cluster, 2_000);
    cluster.connect("a");
    cluster.settle();
    pass(cluster, 10_000);
    expect(cluster.seen()).toEqual(["cron@a#1 running"]);
    expect(cluster.decided("LeaseEnded")).toEqual([]);
    expect(tokenOf(cluster)).toBe(1);
  });

  test("starts again there when the node is back before, and its keeper has ended it", () => {
    const cluster = running();
    lose(cluster, "a");
    pass(cluster, 2_000);
    const node = cluster.node("a");
    restartNode(node);
    node.running = {};
    cluster.connect("a");
    cluster.settle();
    expect(cluster.seen()).toEqual(["cron@a#2 running"]);
    expect(tokenOf(cluster)).toBe(2);
  });

  test("is judged anew by each loss: a lease that was renewed since is waited for", () => {
    const cluster = running();
    lose(cluster, "a", 2_000);
    pass(cluster, 500);
    cluster.connect("a");
    cluster.settle();
    lose(cluster, "a", 0);
    pass(cluster, 2_599);
    expect(starts(cluster)).toHaveLength(1);
    pass(cluster, 1);
    expect(starts(cluster)).toHaveLength(2);
  });

  test("waits also when the node says that it leaves: it says so before it stops what runs there", () => {
    const cluster = running();
    emit(cluster.node("a"), "NodeLeft", { node: "a", incarnation: 1 });
    cluster.settle();
    cluster.cut("a");
    pass(cluster, 2_599);
    expect(starts(cluster)).toHaveLength(1);
    pass(cluster, 1);
    expect(starts(cluster)).toHaveLength(2);
  });

  test("starts elsewhere also when the node tells that it ended after it said that it leaves", () => {
    const cluster = running();
    const a = cluster.node("a");
    emit(a, "NodeLeft", { node: "a", incarnation: 1 });
    const exit = { code: 0, signal: null };
    emit(a, "ServiceStopped", { node: "a", service: "cron", instance: "cron@a#1", exit });
    cluster.settle();
    cluster.cut("a");
    pass(cluster, 2_600);
    expect(starts(cluster).at(-1)?.action).toMatchObject({ instance: "cron@b#1" });
  });

  test("waits also when it was being stopped there to go elsewhere", () => {
    const cluster = running();
    cluster.apply(specOf({ on: { node: "b" } }));
    lose(cluster, "a");
    pass(cluster, 2_599);
    expect(starts(cluster)).toHaveLength(1);
    pass(cluster, 1);
    expect(cluster.instance("cron@b#1")).toMatchObject({ state: "running", token: 2 });
  });

  test("waits for its node when its deployment says so, and starts there again", () => {
    const cluster = running(specOf({ onNodeLoss: "wait" }));
    lose(cluster, "a");
    pass(cluster, 60_000);
    expect(starts(cluster)).toHaveLength(1);
    const node = cluster.node("a");
    restartNode(node);
    node.running = {};
    connect(node);
    cluster.settle();
    expect(cluster.instance("cron@a#2")).toMatchObject({ state: "running", token: 2 });
  });

  test("moves only when the breaker is reset", () => {
    const cluster = running();
    lose(cluster, "a");
    lose(cluster, "b");
    cluster.addNode("d");
    cluster.settle();
    lose(cluster, "d");
    pass(cluster, 30_000);
    expect(starts(cluster)).toHaveLength(1);
    cluster.ask("BreakerResetRequested", {});
    cluster.settle();
    expect(cluster.instance("cron@c#1")).toMatchObject({ state: "running", token: 2 });
  });

  test("is stopped as surplus, and not held against another, when it runs there after all", () => {
    const cluster = running();
    lose(cluster, "a");
    pass(cluster, 2_600);
    cluster.connect("a");
    cluster.settle();
    expect(cluster.real()).toEqual(["cron@b#1 running"]);
  });

  test("that fails by its lease on a node that is up starts again there", () => {
    const cluster = running();
    fail(cluster.node("a"), "cron@a#1", 20_000);
    cluster.settle();
    expect(cluster.seen()).toEqual(["cron@a#2 running"]);
  });
});

describe("the fence command", () => {
  const fence = { command: ["power", "off", "{target}"], timeoutMs: 5_000 };
  const policy = {
    recoverEveryMs: 60_000,
    recoverAttempts: 0,
    fence,
    breakerNodes: 3,
    breakerShare: 0.34,
    breakerWindowMs: 60_000,
  };
  const fenced = (nodes: Parameters<typeof clusterSpec>[1] = { nodes: policy }) =>
    running(specOf({ fence: "command" }, nodes));
  const hooks = (cluster: TestCluster) =>
    cluster.records
      .flatMap(({ decisions }) => decisions.flatMap(({ firings }) => firings))
      .flatMap(({ commands }) => commands)
      .flatMap(({ id, node, action }) => (action.type === "RunHook" ? [{ id, node, action }] : []));

  /** The node that runs the last attempt answers. */
  function answer(cluster: TestCluster, outcome: "done" | "failed" | "unknown"): void {
    const last = hooks(cluster).at(-1);
    if (last === undefined) throw new Error("no hook was sent");
    const { node, id, action } = last;
    const { service, instance, hook, target } = action;
    const detail = "no route to host";
    emit(cluster.node(node), "HookEnded", {
      ...{ node, service, instance, command: id, hook, target, outcome, detail },
    });
    cluster.settle();
    pass(cluster, 0);
  }

  test("runs on another node when the lease is over, and the service moves when it has confirmed", () => {
    const cluster = fenced();
    lose(cluster, "a");
    pass(cluster, 2_599);
    expect(hooks(cluster)).toEqual([]);
    pass(cluster, 1);
    expect(hooks(cluster)).toMatchObject([
      { node: "b", action: { hook: "fence", target: "a", ...fence } },
    ]);
    expect(starts(cluster)).toHaveLength(1);
    answer(cluster, "done");
    expect(cluster.instance("cron@b#1")).toMatchObject({ state: "running", token: 2 });
    pass(cluster, 300_000);
    expect(hooks(cluster)).toHaveLength(1);
  });

  test.each(["failed", "unknown"] as const)(
    "that ends as %s leaves the service where it is, says why, and is tried again at the next interval",
    (outcome) => {
      const cluster = fenced();
      lose(cluster, "a");
      pass(cluster, 2_600);
      answer(cluster, outcome);
      const { state, reason } = cluster.instance("cron@a#1");
      expect(state).toBe("unknown");
      expect(reason).toContain(`ended as ${outcome}: no route to host`);
      pass(cluster, 59_000);
      expect(hooks(cluster)).toHaveLength(1);
      pass(cluster, 1_000);
      expect(hooks(cluster)).toHaveLength(2);
      expect(starts(cluster)).toHaveLength(1);
      answer(cluster, "done");
      expect(cluster.instance("cron@b#1").state).toBe("running");
    },
  );

  test("that failed is tried again at once when a person asks for the start", () => {
    const cluster = fenced();
    lose(cluster, "a");
    pass(cluster, 2_600);
    answer(cluster, "failed");
    cluster.ask("ServiceStartRequested", { service: "cron" });
    cluster.settle();
    expect(hooks(cluster).map(({ action }) => action.instance)).toEqual([
      "halon-fence@a#1",
      "halon-fence@a#2",
    ]);
    answer(cluster, "done");
    expect(cluster.instance("cron@b#1").state).toBe("running");
  });

  test("that nobody answered is tried again on a node that is up", () => {
    const cluster = fenced();
    lose(cluster, "a");
    pass(cluster, 2_600);
    lose(cluster, "b");
    pass(cluster, 60_000);
    expect(hooks(cluster).map(({ node }) => node)).toEqual(["b", "c"]);
    answer(cluster, "done");
    expect(cluster.instance("cron@c#1").state).toBe("running");
  });

  test("of an attempt for an earlier loss confirms nothing", () => {
    const cluster = fenced();
    lose(cluster, "a");
    pass(cluster, 2_600);
    cluster.connect("a");
    cluster.settle();
    expect(cluster.state.outbox.of("b")).toEqual([]);
    lose(cluster, "a");
    answer(cluster, "done");
    pass(cluster, 2_500);
    expect(starts(cluster)).toHaveLength(1);
    expect(cluster.instance("cron@a#1").state).toBe("unknown");
  });

  test("that never confirms is waited for until a person removes the node", () => {
    const cluster = fenced();
    lose(cluster, "a");
    pass(cluster, 2_600);
    answer(cluster, "failed");
    cluster.ask("NodeRemoveRequested", { node: "a" });
    cluster.settle();
    pass(cluster, 60_000);
    expect(cluster.instance("cron@b#1")).toMatchObject({ state: "running", token: 2 });
  });
});
