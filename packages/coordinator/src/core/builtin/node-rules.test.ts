import { expect, test } from "vitest";
import { clusterSpec, deployment } from "../../../testdata/samples.ts";
import { fail, restartNode } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";

const evidence = ["a: last beat 0.8 s ago (phi 8.4)", "asked c: last heard it 0.9 s ago"];

function begun(): TestCluster {
  const cluster = new TestCluster();
  for (const name of ["a", "b", "c"]) cluster.addNode(name);
  cluster.settle();
  cluster.apply(clusterSpec([deployment("web")]));
  cluster.settle();
  return cluster;
}

const nodeOf = (cluster: TestCluster, name: string) =>
  cluster.state.graph.get("Node", name)?.attributes;
const suspect = (cluster: TestCluster, incarnation = 1) =>
  cluster.observe("NodeSuspected", { node: "a", incarnation, reason: "silent", evidence });
const trust = (cluster: TestCluster, incarnation = 1) =>
  cluster.observe("NodeTrusted", {
    node: "a",
    incarnation,
    reason: "heard again",
    evidence: ["a: a beat came"],
  });

test("a suspicion and a loss keep the evidence; without one the reason is it", () => {
  const cluster = begun();
  suspect(cluster);
  expect(nodeOf(cluster, "a")).toMatchObject({ state: "suspect", reason: "silent", evidence });
  cluster.observe("NodeLost", { node: "a", incarnation: 1, reason: "silent for 1.0 s" });
  expect(nodeOf(cluster, "a")).toMatchObject({
    state: "down",
    reason: "silent for 1.0 s",
    evidence: ["silent for 1.0 s"],
  });
});

test("a suspicion that was wrong is over: the node is up, and says on what evidence", () => {
  const cluster = begun();
  suspect(cluster);
  trust(cluster);
  expect(nodeOf(cluster, "a")).toMatchObject({ state: "up", evidence: ["a: a beat came"] });
  expect(nodeOf(cluster, "a")?.reason).toBeUndefined();
});

test("news of another incarnation, and trust in a node that is down, change nothing", () => {
  const cluster = begun();
  suspect(cluster, 0);
  expect(nodeOf(cluster, "a")?.state).toBe("up");
  suspect(cluster);
  trust(cluster, 0);
  expect(nodeOf(cluster, "a")?.state).toBe("suspect");
  cluster.observe("NodeLost", { node: "a", incarnation: 1, reason: "gone" });
  trust(cluster);
  expect(nodeOf(cluster, "a")?.state).toBe("down");
});

test("what was due on a node while it was suspect is made up for when it is trusted", () => {
  const cluster = begun();
  suspect(cluster);
  fail(cluster.node("a"), "web@a#1", 20_000);
  cluster.settle();
  expect(cluster.seen()).toEqual(["web@a#1 failed"]);
  trust(cluster);
  cluster.settle();
  expect(cluster.real()).toEqual(["web@a#2 running"]);
});

test("a loss is acted upon 300 ms later, whatever happens meanwhile; a node that leaves, at once", () => {
  const lost = begun();
  lost.lose("a");
  lost.cut("c");
  lost.connect("c");
  lost.settle();
  expect(lost.seen()).toEqual(["web@a#1 unknown"]);
  lost.tick(299);
  expect(lost.seen()).toEqual(["web@a#1 unknown"]);
  lost.tick(1);
  expect(lost.seen()).toEqual(["web@a#1 unknown", "web@b#1 starting"]);
  const left = begun();
  left.observe("NodeLeft", { node: "a", incarnation: 1 });
  expect(left.seen()).toEqual(["web@a#1 unknown", "web@b#1 starting"]);
});

test("a node that is back within that time keeps what it has", () => {
  const cluster = begun();
  cluster.lose("a");
  cluster.tick(200);
  cluster.connect("a");
  cluster.settle();
  cluster.tick(1_000);
  cluster.settle();
  expect(cluster.real()).toEqual(["web@a#1 running"]);
  expect(cluster.decided("ServiceMoved")).toEqual([]);
});

test("the inventory of a node that was suspected since it joined counts, and what waited goes on when it is trusted", () => {
  const cluster = begun();
  cluster.lose("a");
  cluster.connect("a");
  cluster.deliverEvent("a");
  suspect(cluster);
  cluster.deliverEvent("a");
  expect(cluster.instance("web@a#1").state).toBe("running");
  trust(cluster);
  cluster.drain();
  expect(cluster.seen()).toEqual(["web@a#1 running"]);
});

test("a node that comes again with another label gets what is wanted there, though it was up all the time", () => {
  const cluster = begun();
  cluster.apply(clusterSpec([deployment("web", { on: { label: "disk=ssd" } })]));
  cluster.settle();
  expect(cluster.real()).toEqual([]);
  const node = cluster.node("b");
  cluster.cut("b");
  restartNode(node);
  cluster.nodes.set("b", { ...node, labels: { disk: "ssd" } });
  cluster.connect("b");
  cluster.settle();
  expect(cluster.real()).toEqual(["web@b#1 running"]);
});
