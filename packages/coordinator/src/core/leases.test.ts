import { expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../testdata/samples.ts";
import { fail } from "../../testdata/scripted-node.ts";
import { TestCluster } from "../../testdata/test-cluster.ts";
import { askedMax, grantable } from "./leases.ts";

const spec = clusterSpec([deployment("cron", { exclusive: "cluster" })], {
  types: [manifest("cron", { kind: "process" })],
});
const current = { instance: "cron@a#1", token: 1 };

/** The exclusive service `cron` runs on `a`, unless its start is held. */
function running(hold: readonly string[] = []): TestCluster {
  const cluster = new TestCluster();
  cluster.addNode("a");
  cluster.addNode("b");
  cluster.settle();
  cluster.apply(spec);
  cluster.settle({ hold });
  return cluster;
}

test("an instance that starts, runs or stops is granted to its node alone", () => {
  const starting = running([current.instance]);
  expect(grantable(starting.state, "a", [current])).toEqual([current.instance]);
  const cluster = running();
  expect(grantable(cluster.state, "a", [current])).toEqual([current.instance]);
  expect(grantable(cluster.state, "b", [current])).toEqual([]);
  cluster.apply(clusterSpec([]));
  expect(cluster.instance(current.instance).state).toBe("stopping");
  expect(grantable(cluster.state, "a", [current])).toEqual([current.instance]);
});

test("another token, an older instance and one that nobody knows are not granted", () => {
  const cluster = running();
  const asked = [
    { ...current, token: 2 },
    { instance: "cron@a#9", token: 1 },
  ];
  expect(grantable(cluster.state, "a", asked)).toEqual([]);
  fail(cluster.node("a"), current.instance, 20_000);
  cluster.settle();
  const next = { instance: "cron@a#2", token: 2 };
  expect(grantable(cluster.state, "a", [current, next])).toEqual([next.instance]);
});

test("an instance that has failed is not granted, before it starts again", () => {
  const cluster = running();
  fail(cluster.node("a"), current.instance);
  cluster.deliverEvent("a");
  expect(cluster.instance(current.instance).state).toBe("failed");
  expect(grantable(cluster.state, "a", [current])).toEqual([]);
});

test("a suspected node is granted its leases; one that is down is not, nor one that is back before it has told what it runs", () => {
  const cluster = running();
  const about = { node: "a", incarnation: 1, reason: "silent" };
  cluster.observe("NodeSuspected", about);
  expect(grantable(cluster.state, "a", [current])).toEqual([current.instance]);
  cluster.cut("a");
  cluster.observe("NodeLost", about);
  expect(grantable(cluster.state, "a", [current])).toEqual([]);
  cluster.connect("a");
  cluster.deliverEvent("a");
  expect(cluster.state.graph.get("Node", "a")?.attributes.state).toBe("up");
  expect(grantable(cluster.state, "a", [current])).toEqual([]);
  cluster.deliverEvent("a");
  expect(grantable(cluster.state, "a", [current])).toEqual([current.instance]);
});

test("what a node asks beyond the bound is not granted", () => {
  const strange = Array.from({ length: askedMax }, (_, at) => ({
    instance: `x@a#${at}`,
    token: 1,
  }));
  expect(grantable(running().state, "a", [...strange, current])).toEqual([]);
});
