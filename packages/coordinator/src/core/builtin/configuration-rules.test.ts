import { expect, test } from "vitest";
import { clusterSpec, deployment, hashLike, manifest } from "../../../testdata/samples.ts";
import { emit, fail } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { emptyState, fold } from "../index.ts";

const port = (value: number) => ({
  config: { port: value },
  configHash: hashLike(`port ${value}`),
});
const ports = (value: number) => clusterSpec([deployment("web", port(value))]);

/** A service that runs with port 1 on each of these nodes, and cannot be reconfigured while it runs. */
function running(...names: readonly string[]): TestCluster {
  const cluster = new TestCluster();
  for (const name of names) cluster.addNode(name, {}).stiff.push("web");
  cluster.settle();
  const on = names.length === 1 ? "any-node" : "every-node";
  cluster.apply(clusterSpec([deployment("web", { ...port(1), on })]));
  cluster.settle();
  return cluster;
}

const configure = (cluster: TestCluster, value: number) =>
  cluster.ask("ConfigurationRequested", { service: "web", ...port(value) });

/** Starts on this node fail, so many of them, and all else comes to rest. */
function failStarts(cluster: TestCluster, node: string, times: number): void {
  for (let failed = 0; failed < times; ) {
    const { incarnation } = cluster.slot(`web@${node}`);
    const isStarting = cluster.instance(`web@${node}#${incarnation}`).state === "starting";
    const next = `web@${node}#${isStarting ? incarnation : incarnation + 1}`;
    cluster.settle({ hold: [next] });
    if (cluster.node(node).running[next] === undefined) {
      cluster.tick(2_000);
      continue;
    }
    fail(cluster.node(node), next);
    failed += 1;
    cluster.settle({ hold: [`web@${node}#${cluster.slot(`web@${node}`).incarnation + 1}`] });
  }
}

const wanted = (cluster: TestCluster, slot: string) =>
  cluster.state.graph.out(`ServiceName/${slot}`, "wants", "Configuration").map(({ id }) => id);
const had = (cluster: TestCluster, instance: string) =>
  cluster.state.graph
    .out(`ServiceInstance/${instance}`, "has", "Configuration")
    .map(({ id }) => id);

const alerts = (cluster: TestCluster) => cluster.state.graph.list("Alert").map(({ id }) => id);

/** Another coordinator takes over, with nothing but the records. */
function crash(cluster: TestCluster): void {
  const again = emptyState();
  for (const record of cluster.records) fold(again, record);
  Object.assign(cluster.state, again);
  cluster.epoch += 1;
}

test("a configuration whose starts fail three times is taken back to the last that worked, and people are told", () => {
  const cluster = running("a");
  const operation = configure(cluster, 2);
  failStarts(cluster, "a", 3);
  cluster.drain();
  expect(cluster.real()).toEqual(["web@a#5 running"]);
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 1")]);
  expect(had(cluster, "web@a#5")).toEqual([hashLike("port 1")]);
  expect(cluster.operation(operation)).toMatchObject({ state: "failed" });
  expect(cluster.operation(operation).reason).toContain("it failed 3 times, last: could not start");
  expect(cluster.slot("web@a").notice).toContain("was taken back to");
  expect(alerts(cluster)).toEqual(["builtin/configuration-reverted/web@a"]);
  expect(cluster.decided("ConfigurationReverted")).toMatchObject([
    { data: { node: "a", from: hashLike("port 2"), to: hashLike("port 1") } },
  ]);
  expect(cluster.state.graph.list("Configuration").map(({ id }) => id)).toEqual([
    hashLike("port 1"),
  ]);
});

test("one that became ready and failed before it had worked is taken back as well", () => {
  const cluster = running("a");
  configure(cluster, 2);
  for (let tried = 0; tried < 3; tried += 1) {
    cluster.settle();
    fail(cluster.node("a"), `web@a#${cluster.slot("web@a").incarnation}`, 500);
    cluster.settle();
    cluster.tick(2_000);
  }
  cluster.drain();
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 1")]);
});

test("one that has worked for resetAfter is never taken back, however often it fails later", () => {
  const cluster = running("a");
  configure(cluster, 2);
  cluster.settle();
  cluster.tick(10_000);
  fail(cluster.node("a"), "web@a#2", 10_000);
  failStarts(cluster, "a", 4);
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 2")]);
  expect(cluster.decided("ConfigurationReverted")).toEqual([]);
});

test("the first configuration has none before it: the service breaks as ever", () => {
  const cluster = new TestCluster();
  cluster.addNode("a");
  cluster.settle();
  cluster.apply(ports(1));
  failStarts(cluster, "a", 5);
  expect(cluster.slot("web@a").broken).toContain("failed 5 times");
});

test("one that replaced a configuration that never worked goes back to the one before that", () => {
  const cluster = running("a");
  configure(cluster, 2);
  failStarts(cluster, "a", 1);
  configure(cluster, 3);
  failStarts(cluster, "a", 3);
  cluster.drain();
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 1")]);
});

test("a coordinator that takes over in the middle counts on, and takes it back after the third failure", () => {
  const cluster = running("a");
  configure(cluster, 2);
  failStarts(cluster, "a", 2);
  crash(cluster);
  expect(cluster.decided("ConfigurationReverted")).toEqual([]);
  failStarts(cluster, "a", 1);
  crash(cluster);
  cluster.drain();
  expect(cluster.decided("ConfigurationReverted")).toHaveLength(1);
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 1")]);
  expect(cluster.real()[0]).toContain(" running");
});

test("what fails for another reason than its configuration does not count", () => {
  const cluster = running("a");
  configure(cluster, 2);
  const lost = { code: "HAL_BLOB_MISSING", reason: "its code cannot be fetched" };
  for (const incarnation of [2, 3, 4, 5]) {
    const instance = `web@a#${incarnation}`;
    cluster.settle({ hold: [instance] });
    delete cluster.node("a").running[instance];
    const at = { node: "a", service: "web", instance };
    emit(cluster.node("a"), "ServiceCouldNotStart", { ...at, ...lost });
    cluster.settle();
    cluster.tick(2_000);
  }
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 2")]);
});

test("a type whose schema has changed keeps the configuration that fits it", () => {
  const cluster = running("a");
  const schemaHash = hashLike("another schema");
  const types = [manifest("web", { version: "2.0.0", schemaHash })];
  cluster.apply(clusterSpec([deployment("web", port(2))], { types }));
  failStarts(cluster, "a", 4);
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 2")]);
});

test("of two places the one where it does not work goes back; further places get it when both have", () => {
  const cluster = running("a", "b");
  configure(cluster, 2);
  failStarts(cluster, "a", 3);
  cluster.settle();
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 1")]);
  expect(wanted(cluster, "web@b")).toEqual([hashLike("port 2")]);
  for (let tried = 0; tried < 3; tried += 1) {
    fail(cluster.node("b"), `web@b#${cluster.slot("web@b").incarnation}`, 500);
    cluster.settle();
    cluster.tick(5_000);
    cluster.settle();
  }
  cluster.addNode("c");
  cluster.drain();
  expect(wanted(cluster, "web@b")).toEqual([hashLike("port 1")]);
  expect(wanted(cluster, "web@c")).toEqual([hashLike("port 1")]);
});

test("a service that reconfigures itself takes a configuration without a restart", () => {
  const cluster = running("a");
  cluster.node("a").stiff.splice(0);
  const operation = configure(cluster, 2);
  cluster.settle();
  expect(cluster.real()).toEqual(["web@a#1 running"]);
  expect(cluster.operation(operation).state).toBe("done");
  expect(had(cluster, "web@a#1")).toEqual(wanted(cluster, "web@a"));
});

test("one that refuses a configuration while it runs starts again with it", () => {
  const cluster = running("a");
  configure(cluster, 2);
  cluster.deliverCommand("a");
  const [command] = cluster.node("a").inbox.splice(0);
  const refusal = { command: command?.id ?? "", code: "HAL_FAILED", reason: "it threw" };
  emit(cluster.node("a"), "CommandRefused", { node: "a", ...refusal });
  cluster.settle();
  expect(cluster.real()).toEqual(["web@a#2 running"]);
  expect(had(cluster, "web@a#2")).toEqual([hashLike("port 2")]);
});

test("whoever asks for the configuration to which it was taken back agrees, and is told no more", () => {
  const cluster = running("a");
  configure(cluster, 2);
  failStarts(cluster, "a", 3);
  cluster.drain();
  expect(cluster.slot("web@a").notice).toContain("was taken back to");
  configure(cluster, 1);
  cluster.settle();
  expect(cluster.slot("web@a").notice).toBeUndefined();
  expect(alerts(cluster)).toEqual([]);
  expect(cluster.real()).toEqual(["web@a#5 running"]);
});

test("a new configuration gives what is broken new tries, and takes the notice away", () => {
  const cluster = running("a");
  configure(cluster, 2);
  failStarts(cluster, "a", 3);
  cluster.drain();
  configure(cluster, 3);
  expect(cluster.slot("web@a").notice).toBeUndefined();
  cluster.drain();
  expect(wanted(cluster, "web@a")).toEqual([hashLike("port 3")]);
  expect(cluster.real()[0]).toContain(" running");
});
