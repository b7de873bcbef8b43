import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../../testdata/samples.ts";
import { fail, restartNode } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";

const web = clusterSpec([deployment("web")]);

function running(spec = web, ...names: readonly string[]): TestCluster {
  const cluster = new TestCluster();
  for (const name of names.length === 0 ? ["a", "b"] : names) cluster.addNode(name);
  cluster.settle();
  cluster.apply(spec);
  cluster.settle();
  return cluster;
}

const nodeOf = (cluster: TestCluster, name: string) =>
  cluster.state.graph.get("Node", name)?.attributes;
const nodeSlot = (cluster: TestCluster) =>
  cluster.state.graph.get("ServiceName", "web@a")?.attributes;
const end = (cluster: TestCluster, operation: string) => {
  const { state, reason } = cluster.operation(operation);
  return reason === undefined ? { state } : { state, reason };
};
const drain = (cluster: TestCluster, node: string) => cluster.ask("NodeDrainRequested", { node });

describe("drain", () => {
  test("starts elsewhere first, then stops here, and has ended when nothing runs here", () => {
    const cluster = running();
    const operation = drain(cluster, "a");
    expect(cluster.seen()).toEqual(["web@a#1 running", "web@b#1 starting"]);
    expect(cluster.operation(operation)).toMatchObject({ state: "running", waiting: ["web@a#1"] });
    cluster.settle({ hold: ["web@a#1"] });
    expect(cluster.seen()).toEqual(["web@a#1 stopping", "web@b#1 running"]);
    expect(cluster.operation(operation).state).toBe("running");
    cluster.settle();
    expect(cluster.real()).toEqual(["web@b#1 running"]);
    expect(end(cluster, operation)).toEqual({ state: "done" });
    expect(cluster.decided("ServiceMoved")).toMatchObject([
      { data: { service: "web", from: "a", to: "b", reason: "a is draining" } },
    ]);
  });

  test("places nothing new on the node, whatever is applied", () => {
    const cluster = running();
    drain(cluster, "a");
    cluster.apply(clusterSpec([deployment("web"), deployment("db"), deployment("log")]));
    cluster.settle();
    expect(cluster.real()).toEqual(["db@b#1 running", "log@b#1 running", "web@b#1 running"]);
  });

  test("stops what cannot move: one of every node, one bound to it, and one for which no node is left", () => {
    const spec = clusterSpec([
      deployment("every", { on: "every-node" }),
      deployment("bound", { on: { node: "a" } }),
      deployment("pair", { replicas: 2 }),
    ]);
    const cluster = running(spec);
    const operation = drain(cluster, "a");
    cluster.settle();
    expect(cluster.real()).toEqual(["every@b#1 running", "pair@b#1 running"]);
    expect(end(cluster, operation)).toEqual({ state: "done" });
    const short = cluster.state.graph
      .list("Deployment")
      .flatMap(({ id, attributes }) => (attributes.shortfall === undefined ? [] : [id]));
    expect(short).toEqual(["bound", "pair"]);
  });

  test("does not wait for a replacement that breaks, or that a person has stopped", () => {
    const broken = running();
    const operation = drain(broken, "a");
    for (let incarnation = 1; incarnation <= 5; incarnation += 1) {
      broken.settle({ hold: [`web@b#${incarnation}`] });
      fail(broken.node("b"), `web@b#${incarnation}`);
      broken.settle({ hold: [`web@b#${incarnation + 1}`] });
      broken.tick(5_000);
    }
    broken.settle();
    expect(end(broken, operation)).toEqual({ state: "done" });
    const stopped = running();
    const other = drain(stopped, "a");
    stopped.ask("ServiceStopRequested", { service: "web" });
    stopped.settle();
    expect(end(stopped, other)).toEqual({ state: "done" });
    const places = stopped.state.graph.out("Deployment/web", "places").map(({ id }) => id);
    expect(places).toEqual(["web@b"]);
    stopped.ask("ServiceStartRequested", { service: "web" });
    stopped.settle();
    expect(stopped.real()).toEqual(["web@b#2 running"]);
  });

  test("has failed when the node is lost before it is empty", () => {
    const cluster = running();
    const operation = drain(cluster, "a");
    cluster.lose("a");
    expect(end(cluster, operation)).toEqual({
      state: "failed",
      reason: "a was lost before it was empty: silent for 2.5 s",
    });
  });

  test("of a node on which nothing runs is done at once", () => {
    const cluster = running();
    expect(end(cluster, drain(cluster, "b"))).toEqual({ state: "done" });
    expect(nodeOf(cluster, "b")?.mode).toBe("draining");
  });

  test("is told with its time and reason until it ends", () => {
    const cluster = running();
    cluster.ask("NodeDrainRequested", { node: "b", reason: "new disks" });
    const { modeSince = 0, modeReason } = nodeOf(cluster, "b") ?? {};
    expect(modeReason).toBe("new disks");
    expect(modeSince).toBeGreaterThanOrEqual(nodeOf(cluster, "b")?.since ?? 0);
    cluster.ask("NodeResumeRequested", { node: "b" });
    expect(Object.keys(nodeOf(cluster, "b") ?? {})).not.toContain("modeReason");
  });

  test("outlives a restart of the node", () => {
    const cluster = running();
    cluster.ask("NodeDrainRequested", { node: "a", reason: "new disks" });
    cluster.settle();
    cluster.cut("a");
    restartNode(cluster.node("a"));
    cluster.connect("a");
    cluster.settle();
    const mode = { mode: "draining", modeReason: "new disks" };
    expect(nodeOf(cluster, "a")).toMatchObject({ state: "up", ...mode });
    expect(cluster.real()).toEqual(["web@b#1 running"]);
  });

  test("is taken back by resume: the node takes services again, and the drain has failed", () => {
    const cluster = running(clusterSpec([deployment("every", { on: "every-node" })]));
    const operation = drain(cluster, "a");
    const resume = cluster.ask("NodeResumeRequested", { node: "a" });
    cluster.settle();
    expect(end(cluster, operation)).toEqual({
      state: "failed",
      reason: "a was not empty when it was resumed",
    });
    expect(end(cluster, resume)).toEqual({ state: "done" });
    expect(nodeOf(cluster, "a")?.mode).toBeUndefined();
    expect(cluster.real()).toEqual(["every@a#2 running", "every@b#1 running"]);
  });
});

describe("maintenance", () => {
  const maintain = (cluster: TestCluster, node: string, on: boolean) =>
    cluster.ask("NodeMaintenanceRequested", { node, on });

  test("starts nothing again that fails, counts no failure, and makes up for it at its end", () => {
    const cluster = running();
    maintain(cluster, "a", true);
    fail(cluster.node("a"), "web@a#1");
    cluster.drain();
    expect(cluster.seen()).toEqual(["web@a#1 failed"]);
    expect(cluster.slot("web@a").restarts).toBe(0);
    maintain(cluster, "a", false);
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#2 running"]);
  });

  test("moves nothing off the node, not even when it is lost; after it all moves", () => {
    const cluster = running();
    maintain(cluster, "a", true);
    cluster.lose("a");
    cluster.tick(1_000);
    cluster.settle();
    expect(cluster.seen()).toEqual(["web@a#1 unknown"]);
    maintain(cluster, "a", false);
    cluster.settle();
    expect(cluster.real()).toContain("web@b#1 running");
  });

  test("places nothing new there", () => {
    const cluster = running();
    maintain(cluster, "b", true);
    cluster.apply(clusterSpec([deployment("web"), deployment("db")]));
    cluster.settle();
    expect(cluster.real()).toEqual(["db@a#1 running", "web@a#1 running"]);
  });

  test("leaves a stop to people, and refuses their starts with the remedy", () => {
    const cluster = running();
    maintain(cluster, "a", true);
    const stop = cluster.ask("ServiceStopRequested", { service: "web" });
    cluster.settle();
    const start = cluster.ask("ServiceStartRequested", { service: "web" });
    cluster.settle();
    expect(end(cluster, stop)).toEqual({ state: "done" });
    expect(end(cluster, start)).toEqual({
      state: "failed",
      reason: expect.stringContaining("halonctl node maintenance a off"),
    });
    expect(cluster.real()).toEqual([]);
  });

  test("does not replace what runs by new code before its end", () => {
    const cluster = running();
    maintain(cluster, "a", true);
    const types = [manifest("web", { version: "2.0.0" })];
    cluster.apply(clusterSpec([deployment("web")], { types }));
    cluster.settle();
    expect(cluster.instance("web@a#1")).toMatchObject({ state: "running", version: "1.0.0" });
    maintain(cluster, "a", false);
    cluster.settle();
    expect(cluster.instance("web@a#2")).toMatchObject({ state: "running", version: "2.0.0" });
  });

  test("outlives the node's own restart, after which nothing starts there before its end", () => {
    const cluster = running();
    maintain(cluster, "a", true);
    cluster.cut("a");
    restartNode(cluster.node("a"));
    cluster.connect("a");
    cluster.settle();
    expect([cluster.real(), cluster.seen()]).toEqual([[], ["web@a#1 failed"]]);
    maintain(cluster, "a", false);
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#2 running"]);
  });
});

describe("remove", () => {
  const remove = (cluster: TestCluster, node: string) =>
    cluster.ask("NodeRemoveRequested", { node });

  test("of a node that is up and not drained is refused with what to do", () => {
    const cluster = running();
    expect(end(cluster, remove(cluster, "a"))).toEqual({
      state: "failed",
      reason: expect.stringContaining("halonctl node drain a"),
    });
    drain(cluster, "a");
    expect(end(cluster, remove(cluster, "a"))).toEqual({
      state: "failed",
      reason: "web@a#1 still is running there; wait for the end of the drain",
    });
    expect(nodeOf(cluster, "a")?.mode).toBe("draining");
  });

  test("of a drained node that has just come back is refused before it has told what runs there", () => {
    const types = [manifest("cron", { kind: "process" })];
    const cluster = running(clusterSpec([deployment("cron", { exclusive: "cluster" })], { types }));
    drain(cluster, "a");
    cluster.lose("a");
    cluster.connect("a");
    cluster.deliverEvent("a");
    expect(end(cluster, remove(cluster, "a"))).toEqual({
      state: "failed",
      reason: "cron@a#1 still is unknown there; wait for the end of the drain",
    });
    cluster.drain();
    expect(cluster.real()).toEqual(["cron@b#1 running"]);
  });

  test("of a tracking node is refused, for its member has to go first", () => {
    const cluster = running();
    const joined = cluster.node("a").incarnation;
    cluster.observe("NodeJoined", {
      node: "a",
      address: "127.0.0.1:1",
      hostname: "h",
      role: "tracking",
      incarnation: joined,
      labels: {},
      version: "0.1.0",
    });
    cluster.lose("a");
    const { state, reason } = cluster.operation(remove(cluster, "a"));
    expect([state, reason]).toEqual([
      "failed",
      expect.stringContaining("agency member remove 127.0.0.1:1"),
    ]);
  });

  test("of a drained node takes it out: it is down, and its join counts for nothing before it is resumed", () => {
    const cluster = running();
    drain(cluster, "a");
    cluster.settle();
    expect(end(cluster, remove(cluster, "a"))).toEqual({ state: "done" });
    expect(nodeOf(cluster, "a")).toMatchObject({
      state: "down",
      mode: "decommissioned",
      reason: "a person removed it",
    });
    cluster.cut("a");
    cluster.connect("a");
    cluster.settle();
    expect(nodeOf(cluster, "a")?.state).toBe("down");
    cluster.ask("NodeResumeRequested", { node: "a" });
    cluster.cut("a");
    cluster.connect("a");
    cluster.settle();
    expect(nodeOf(cluster, "a")).toMatchObject({ state: "up" });
    expect(nodeOf(cluster, "a")?.mode).toBeUndefined();
  });

  test("of a lost node moves what waited for it, and forgets what was unknown there", () => {
    const cluster = running(clusterSpec([deployment("web", { onNodeLoss: "wait" })]));
    cluster.lose("a");
    cluster.tick(1_000);
    expect(cluster.seen()).toEqual(["web@a#1 unknown"]);
    remove(cluster, "a");
    cluster.settle();
    expect(cluster.seen()).toEqual(["web@b#1 running"]);
  });

  test("of a lost node gives what broke there new tries, when the node is taken back", () => {
    const cluster = running(clusterSpec([deployment("web", { on: { node: "a" } })]));
    for (let incarnation = 1; nodeSlot(cluster)?.broken === undefined; incarnation += 1) {
      cluster.settle({ hold: [`web@a#${incarnation}`] });
      fail(cluster.node("a"), `web@a#${incarnation}`);
      cluster.settle({ hold: [`web@a#${incarnation + 1}`] });
      cluster.tick(5_000);
    }
    cluster.cut("a");
    cluster.lose("a");
    remove(cluster, "a");
    cluster.ask("NodeResumeRequested", { node: "a" });
    cluster.connect("a");
    cluster.settle();
    expect(nodeSlot(cluster)?.broken).toBeUndefined();
    expect(cluster.real()).toHaveLength(1);
  });

  test("of a node that many were lost with takes it out of the breaker's reckoning", () => {
    const cluster = running(web, "a", "b", "c", "d", "e");
    for (const name of ["c", "d", "e"]) cluster.lose(name);
    const breaker = () => cluster.state.graph.list("Cluster")[0]?.attributes.breaker?.nodes;
    expect(breaker()).toEqual(["c", "d", "e"]);
    remove(cluster, "c");
    expect(breaker()).toEqual(["d", "e"]);
  });
});

test.each([
  ["NodeDrainRequested", {}],
  ["NodeResumeRequested", {}],
  ["NodeMaintenanceRequested", { on: true }],
  ["NodeRemoveRequested", {}],
])("%s of a node that nobody knows has failed, with where to look", (type, data) => {
  const cluster = running();
  const operation = cluster.ask(type, { node: "ghost", ...data });
  expect(end(cluster, operation)).toEqual({
    state: "failed",
    reason: "there is no node ghost; see `halonctl node list`",
  });
});

test.each([
  ["NodeDrainRequested", {}],
  ["NodeMaintenanceRequested", { on: true }],
])("%s of a removed node has failed, with how it is taken back", (type, data) => {
  const cluster = running();
  cluster.lose("b");
  cluster.ask("NodeRemoveRequested", { node: "b" });
  const { state, reason } = cluster.operation(cluster.ask(type, { node: "b", ...data }));
  expect([state, reason]).toEqual(["failed", expect.stringContaining("halonctl node resume b")]);
});
