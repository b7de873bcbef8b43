import { NodePolicy } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { clusterSpec, deployment } from "../../../testdata/samples.ts";
import { emit, restartNode } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { decodeSnapshot, emptyState, encodeSnapshot, fold } from "../index.ts";

const every = 5_000;

/** Three nodes, and attempts every five seconds, three of them. */
function begun(given: Partial<NodePolicy> = {}): TestCluster {
  const cluster = new TestCluster();
  for (const name of ["a", "b", "c"]) cluster.addNode(name);
  cluster.settle();
  const nodes = NodePolicy.parse({ recoverEveryMs: every, recoverAttempts: 3, ...given });
  cluster.apply({ ...clusterSpec([deployment("web", { onNodeLoss: "wait" })]), nodes });
  cluster.settle();
  return cluster;
}

const recoverWith = (...command: readonly string[]) => ({
  recover: { command: [...command], timeoutMs: 1_000 },
});
const nodeOf = (cluster: TestCluster, name: string) =>
  cluster.state.graph.get("Node", name)?.attributes;
/** What was said of recovery, in order. */
const story = (cluster: TestCluster) =>
  cluster
    .decided()
    .map(({ type }) => type)
    .filter((type) =>
      ["NodeTransient", "RecoveryAttempted", "NodeRecovered", "NodeGivenUp"].includes(type),
    );
const hooks = (cluster: TestCluster) =>
  cluster.records
    .flatMap((record) => record.decisions.flatMap(({ firings }) => firings))
    .flatMap(({ commands }) => commands)
    .flatMap(({ node, action }) => (action.type === "RunHook" ? [{ node, ...action }] : []));

describe("a node that is lost", () => {
  test("and joins before the attempts are over: transient, attempted, recovered", () => {
    const cluster = begun();
    cluster.lose("b");
    expect(nodeOf(cluster, "b")?.recovery).toEqual({ state: "transient", attempt: 0, of: 3 });
    cluster.tick(every);
    expect(nodeOf(cluster, "b")?.recovery).toEqual({ state: "transient", attempt: 1, of: 3 });
    cluster.connect("b");
    cluster.settle();
    expect(story(cluster)).toEqual(["NodeTransient", "RecoveryAttempted", "NodeRecovered"]);
    expect(nodeOf(cluster, "b")).toMatchObject({ state: "up" });
    expect(nodeOf(cluster, "b")?.recovery).toBeUndefined();
    cluster.tick(10 * every);
    expect(story(cluster)).toHaveLength(3);
  });

  test("and stays away is given up after the last attempt; joining later it is a recovered one", () => {
    const cluster = begun();
    cluster.lose("b");
    for (let passed = 0; passed < 10; passed += 1) cluster.tick(every);
    const attempts = ["RecoveryAttempted", "RecoveryAttempted", "RecoveryAttempted"];
    expect(story(cluster)).toEqual(["NodeTransient", ...attempts, "NodeGivenUp"]);
    expect(nodeOf(cluster, "b")).toMatchObject({
      state: "down",
      recovery: { state: "givenUp", attempt: 3, of: 3 },
      evidence: expect.arrayContaining(["given up after 3 attempts: a person has to look at it"]),
    });
    restartNode(cluster.node("b"));
    cluster.connect("b");
    cluster.settle();
    expect(story(cluster).at(-1)).toBe("NodeRecovered");
    expect(cluster.decided("NodeRecovered")).toMatchObject([{ data: { node: "b", attempts: 3 } }]);
  });

  test("is not waited for when it left by itself, or when no attempts are wanted", () => {
    const left = begun();
    left.observe("NodeLeft", { node: "b", incarnation: 1 });
    const none = begun({ recoverAttempts: 0 });
    none.lose("b");
    for (const cluster of [left, none]) {
      cluster.tick(every);
      expect(story(cluster)).toEqual([]);
      expect(nodeOf(cluster, "b")?.recovery).toBeUndefined();
    }
  });

  test("goes on being recovered under the next leader: the timers are in the log", () => {
    const cluster = begun();
    cluster.lose("b");
    cluster.tick(every);
    const next = new TestCluster();
    const state = emptyState();
    for (const record of cluster.records) fold(state, JSON.parse(JSON.stringify(record)));
    Object.assign(next, { state: decodeSnapshot(encodeSnapshot(state)), epoch: 2, records: [] });
    next.now = cluster.now;
    next.tick(every);
    expect(nodeOf(next, "b")?.recovery).toEqual({ state: "transient", attempt: 2, of: 3 });
  });
});

describe("the recover command", () => {
  test("runs at each attempt, on the first other node that is up and active, each attempt under its own name", () => {
    const cluster = begun(recoverWith("power-on", "{target}"));
    cluster.ask("NodeMaintenanceRequested", { node: "a", on: true });
    cluster.lose("b");
    cluster.tick(every);
    cluster.tick(every);
    expect(hooks(cluster)).toMatchObject([
      { node: "c", hook: "recover", target: "b", instance: "halon-recover@b#1" },
      { node: "c", hook: "recover", target: "b", instance: "halon-recover@b#2" },
    ]);
    expect(hooks(cluster)[0]?.command).toEqual(["power-on", "{target}"]);
  });

  test("is not needed for attempts to be made, and without another node that is up it says so", () => {
    const cluster = begun(recoverWith("power-on", "{target}"));
    for (const node of ["a", "c"]) cluster.observe("NodeLeft", { node, incarnation: 1 });
    cluster.lose("b");
    cluster.tick(every);
    expect(hooks(cluster)).toEqual([]);
    expect(nodeOf(cluster, "b")?.evidence).toContain(
      "no other node is up to run the recover command",
    );
  });

  test.each([
    {
      how: "ends",
      answer: { type: "HookEnded", outcome: "failed", detail: "exit code 3: no power" },
      said: "the recover command, run 1 on a: failed: exit code 3: no power",
    },
    {
      how: "ends as unknown, after a crash",
      answer: { type: "HookEnded", outcome: "unknown" },
      said: "the recover command, run 1 on a: unknown",
    },
    {
      how: "is refused",
      answer: { type: "CommandRefused", code: "HAL_TOO_MANY", reason: "16 hooks run already" },
      said: "a did not run the recover command: 16 hooks run already",
    },
    {
      how: "is not answered",
      answer: undefined,
      said: "a did not tell in time how the recover command ended",
    },
  ])("that $how is told in the evidence of the node", ({ answer, said }) => {
    const cluster = begun({ ...recoverWith("power-on"), recoverEveryMs: 60_000 });
    cluster.lose("b");
    cluster.tick(60_000);
    const command = cluster.state.outbox.of("a")[0]?.id ?? "";
    if (answer === undefined) {
      cluster.tick(11_000);
    } else {
      const { type, ...data } = answer;
      const about = { service: "halon-recover", instance: "halon-recover@b#1" };
      const hook = type === "HookEnded" ? { ...about, hook: "recover", target: "b" } : {};
      emit(cluster.node("a"), type, { node: "a", command, ...hook, ...data });
      cluster.settle();
    }
    expect(nodeOf(cluster, "b")?.evidence).toContain(said);
    expect(cluster.state.outbox.of("a")).toEqual([]);
  });

  test("that ends after the node is back is not told of a node that is up", () => {
    const cluster = begun(recoverWith("power-on"));
    cluster.lose("b");
    cluster.tick(every);
    const command = cluster.state.outbox.of("a")[0]?.id ?? "";
    cluster.connect("b");
    cluster.settle();
    const evidence = nodeOf(cluster, "b")?.evidence;
    const about = { service: "halon-recover", instance: "halon-recover@b#1", outcome: "done" };
    emit(cluster.node("a"), "HookEnded", {
      node: "a",
      command,
      hook: "recover",
      target: "b",
      ...about,
    });
    cluster.settle();
    expect(nodeOf(cluster, "b")?.evidence).toEqual(evidence);
  });
});

describe("a node in maintenance", () => {
  test("is not recovered; after it, a node that was lost meanwhile is", () => {
    const cluster = begun();
    cluster.ask("NodeMaintenanceRequested", { node: "b", on: true });
    cluster.lose("b");
    cluster.tick(every);
    expect(story(cluster)).toEqual([]);
    cluster.ask("NodeMaintenanceRequested", { node: "b", on: false });
    cluster.tick(every);
    expect(story(cluster)).toEqual(["NodeTransient", "RecoveryAttempted"]);
  });

  test("was stopped by a person: nobody recovers it afterwards", () => {
    const cluster = begun();
    cluster.ask("NodeMaintenanceRequested", { node: "b", on: true });
    cluster.observe("NodeLeft", { node: "b", incarnation: 1 });
    cluster.ask("NodeMaintenanceRequested", { node: "b", on: false });
    cluster.tick(every);
    expect(story(cluster)).toEqual([]);
  });

  test("that was being recovered is no longer", () => {
    const cluster = begun();
    cluster.lose("b");
    cluster.ask("NodeMaintenanceRequested", { node: "b", on: true });
    cluster.tick(10 * every);
    expect(story(cluster)).toEqual(["NodeTransient"]);
    expect(nodeOf(cluster, "b")?.recovery).toBeUndefined();
  });
});

test("a node that a person removed is not recovered", () => {
  const cluster = begun();
  cluster.lose("b");
  cluster.ask("NodeRemoveRequested", { node: "b" });
  cluster.tick(10 * every);
  expect(story(cluster)).toEqual(["NodeTransient"]);
});
