import { expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../testdata/samples.ts";
import { TestCluster } from "../../testdata/test-cluster.ts";

function running(): TestCluster {
  const cluster = new TestCluster();
  cluster.addNode("a");
  cluster.settle();
  cluster.apply(
    clusterSpec([deployment("web", { on: "every-node" })], { types: [manifest("web")] }),
  );
  cluster.settle();
  return cluster;
}

function ask(cluster: TestCluster, verb: "Start" | "Stop" | "Restart"): string {
  return cluster.ask(`Service${verb}Requested`, { service: "web" });
}

function end(cluster: TestCluster, operation: string) {
  const { state, reason } = cluster.state.graph.get("Operation", operation)?.attributes ?? {};
  return { state, reason };
}

test("a stop has ended when what ran then has ended, also when a start came before that", () => {
  const cluster = running();
  const stop = ask(cluster, "Stop");
  const start = ask(cluster, "Start");
  cluster.settle();
  expect([end(cluster, stop), end(cluster, start)]).toEqual([
    { state: "done", reason: undefined },
    { state: "done", reason: undefined },
  ]);
  expect(cluster.real()).toEqual(["web@a#2 running"]);
});

test("a start or restart that a stop overtakes has failed, and the stop has not", () => {
  const cluster = running();
  const restart = ask(cluster, "Restart");
  const firstStop = ask(cluster, "Stop");
  cluster.settle();
  const start = ask(cluster, "Start");
  const lastStop = ask(cluster, "Stop");
  cluster.settle();
  const overtaken = { state: "failed", reason: "a later request stopped web@a" };
  const done = { state: "done", reason: undefined };
  expect([restart, start].map((id) => end(cluster, id))).toEqual([overtaken, overtaken]);
  expect([firstStop, lastStop].map((id) => end(cluster, id))).toEqual([done, done]);
});

test("a stop that a later start makes void on a node that was away has failed", () => {
  const cluster = running();
  cluster.lose("a");
  const stop = ask(cluster, "Stop");
  ask(cluster, "Start");
  cluster.connect("a");
  cluster.settle();
  expect(end(cluster, stop)).toEqual({
    state: "failed",
    reason: "a later request keeps web@a#1 running",
  });
});

test("a check has failed when the node that was to answer is lost", () => {
  const cluster = running();
  const check = cluster.ask("ServiceCheckRequested", { service: "web" });
  cluster.lose("a");
  expect(end(cluster, check)).toEqual({
    state: "failed",
    reason: expect.stringContaining("a is down"),
  });
});

test("a restart whose stop was lost with its node has failed, and says what runs on", () => {
  const cluster = running();
  const restart = ask(cluster, "Restart");
  cluster.lose("a");
  cluster.connect("a");
  cluster.settle();
  expect(cluster.real()).toEqual(["web@a#1 running"]);
  expect(end(cluster, restart)).toEqual({
    state: "failed",
    reason: expect.stringContaining("web@a#1 was stopped; it runs on"),
  });
});
