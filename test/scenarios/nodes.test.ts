import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

const tracking = ["node-1", "node-2", "node-3"];
const onNode4 = { placement: { type: "node", node: "node-4" } } as const;
const preferNode4 = { prefer: ["node-4"] } as const;

/** Three tracking nodes and two satellites, on which all that can be deployed runs. */
function running(services: StageOptions["services"], options: StageOptions = {}): Stage {
  const stage = createStage({ satellites: 2, services: services ?? {}, ...options });
  const names = Object.keys(services ?? {});
  stage.ready();
  stage.deploy(...names);
  stage.until(() => names.every((name) => stage.runs(name)));
  stage.run(2_000);
  return stage;
}

/** Something that is asked for is done. */
function decides(stage: Stage, service = "web"): void {
  const asked = stage.restart(service);
  stage.until(() => stage.outcome(asked) === true, 20_000);
}

const isDown = (stage: Stage, node: string): boolean => stage.node(node)?.state === "down";
const isBack = (stage: Stage, node: string): boolean => stage.node(node)?.state === "up";
const told = (stage: Stage, ...types: readonly string[]): readonly string[] =>
  types.flatMap((type) => stage.events(type).map(() => type));

describe("membership", () => {
  test("the graph has each node with its host, its supervisor and its parts", () => {
    const stage = createStage({ satellites: 1, labels: { "node-4": ["disk=ssd"] } });
    stage.ready();
    stage.run(1_000);
    expect(stage.node("node-4")).toMatchObject({ role: "satellite", labels: { disk: "ssd" } });
    expect(stage.node("node-1")).toMatchObject({ role: "tracking", state: "up" });
    expect(stage.graph.list("Host").map(({ id }) => id)).toContain("host-of-node-4");
    expect(stage.graph.list("Supervisor").map(({ id }) => id)).toHaveLength(4);
  });

  test("each start of a halond is a later incarnation", () => {
    const stage = running({ web: onNode4 });
    const before = stage.node("node-4")?.incarnation ?? 0;
    stage.crashNode("node-4", 200);
    stage.until(() => stage.node("node-4")?.incarnation === before + 1, 5_000);
  });

  test("what a node said before its last start loses nobody", () => {
    const stage = running({ web: onNode4 });
    for (let i = 0; i < 4; i += 1) {
      stage.crashNode("node-4", 300);
      stage.run(900);
    }
    stage.run(5_000);
    expect(stage.node("node-4")?.state).toBe("up");
    expect(stage.fired("node-lost")).toEqual([]);
  });

  test("a node that is stopped leaves: it is no loss, and nobody tries to bring it back", () => {
    const stage = running({ web: preferNode4 });
    stage.stopNode("node-4", 20_000);
    stage.until(() => stage.runs("web") && !stage.runs("web", "node-4"), 5_000);
    stage.run(10_000);
    expect(stage.node("node-4")).toMatchObject({ state: "down", reason: "it was stopped" });
    expect(told(stage, "NodeLost", "NodeTransient", "NodeSuspected")).toEqual([]);
    expect(stage.lives("web").map(({ end }) => end)).toEqual(["asked", null]);
  });
});

describe("a node that comes back", () => {
  test("before it is lost: its processes are taken over, and nothing is decided about them", () => {
    const stage = running({ web: onNode4 });
    stage.crashNode("node-4", 300);
    stage.run(5_000);
    expect(stage.lives("web")).toMatchObject([{ node: "node-4", end: null }]);
    expect(stage.fired("node-lost")).toEqual([]);
    expect(stage.instances("web")).toMatchObject([{ state: "running", incarnation: 1 }]);
  });

  test("after it was lost: what waited for it is found running, and was not started anew", () => {
    const stage = running({ web: { ...onNode4, onNodeLoss: "wait" } });
    stage.crashNode("node-4", 4_000);
    stage.until(() => stage.instances("web")[0]?.state === "unknown", 5_000);
    stage.until(() => stage.instances("web")[0]?.state === "running", 10_000);
    expect(stage.lives("web")).toHaveLength(1);
    expect(stage.instances("web")[0]?.incarnation).toBe(1);
  });

  test("after it was lost: what moved away meanwhile is surplus there, and is stopped", () => {
    const stage = running({ web: preferNode4 });
    stage.crashNode("node-4", 6_000);
    stage.until(() => stage.runs("web") && !stage.runs("web", "node-4"), 5_000);
    stage.until(() => stage.processes("web").length === 1, 10_000);
    stage.run(2_000);
    expect(stage.runs("web", "node-4")).toBe(false);
    expect(stage.events("SurplusStopped")).toMatchObject([{ data: { node: "node-4" } }]);
    expect(stage.lives("web").map(({ end }) => end)).toEqual(["asked", null]);
  });

  test("a worker died with its halond: it starts again, which counts as no failure", () => {
    const stage = running({ web: { ...onNode4, kind: "worker" } });
    stage.crashNode("node-4", 300);
    stage.until(() => stage.lives("web").length === 2, 5_000);
    stage.until(() => stage.runs("web", "node-4"), 5_000);
    expect(stage.slot("web", "node-4")).toMatchObject({ incarnation: 2, restarts: 0 });
    expect(stage.fired("restart-failed")).toEqual([]);
  });

  test("with an empty machine: what it ran starts again there by what its inventory lacks", () => {
    const stage = running({ web: { ...onNode4, onNodeLoss: "wait" } });
    stage.loseMachine("node-4", 4_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.until(() => stage.runs("web", "node-4"), 10_000);
    expect(stage.lives("web").map(({ end }) => end)).toEqual(["machine", null]);
    expect(stage.fired("restart-failed")).toEqual([]);
  });

  test("with a process whose deployment was removed meanwhile: that is stopped", () => {
    const stage = running({ web: onNode4, api: {} });
    stage.crashNode("node-4", 6_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.deployOnly("api");
    stage.until(() => stage.processes("web").length === 0, 15_000);
    expect(stage.lives("web")).toMatchObject([{ end: "asked" }]);
    stage.until(() => stage.instances("web").length === 0, 3_000);
  });

  test("what a person stopped there stays stopped", () => {
    const stage = running({ web: onNode4 });
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    stage.crashNode("node-4", 3_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.until(() => isBack(stage, "node-4"), 5_000);
    stage.run(5_000);
    expect(stage.lives("web")).toHaveLength(1);
    expect(stage.slot("web", "node-4")?.halted).toBe(true);
  });

  test("what failed while it was cut off for long is told of once, and starts again there", () => {
    const stage = running({ web: { ...onNode4, onNodeLoss: "wait" } });
    const heal = stage.cut("node-4");
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.crashService("web");
    stage.run(5_000);
    heal();
    stage.until(() => stage.runs("web", "node-4"), 15_000);
    expect(stage.events("ServiceFailed")).toHaveLength(1);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("what failed while it was cut off for a moment is one failure, decided when it is heard", () => {
    const stage = running({ web: onNode4 });
    stage.run(10_000);
    const heal = stage.cut("node-4");
    stage.crashService("web");
    stage.run(600);
    expect(stage.events("ServiceFailed")).toEqual([]);
    heal();
    stage.until(() => stage.runs("web", "node-4"), 10_000);
    expect(stage.fired("restart-failed")).toHaveLength(1);
  });
});

describe("bringing a lost node back", () => {
  test("it is waited for, and the attempts end when it joins", () => {
    const stage = running({ web: onNode4 });
    stage.crashNode("node-4", 8_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    expect(stage.node("node-4")?.recovery).toEqual({ state: "transient", attempt: 0, of: 3 });
    stage.until(() => isBack(stage, "node-4"), 10_000);
    expect(stage.node("node-4")?.recovery).toBeUndefined();
    stage.run(20_000);
    expect(told(stage, "NodeTransient", "RecoveryAttempted", "NodeRecovered")).toHaveLength(3);
    expect(stage.events("NodeRecovered")).toMatchObject([{ data: { attempts: 1 } }]);
  });

  test("after the last attempt it is given up, and not tried again", () => {
    const stage = running({ web: onNode4 });
    stage.loseMachine("node-4");
    stage.until(() => stage.node("node-4")?.recovery?.state === "givenUp", 40_000);
    stage.run(20_000);
    const numbers = stage.events("RecoveryAttempted").map(({ data }) => data);
    expect(numbers).toMatchObject([1, 2, 3].map((attempt) => ({ attempt, of: 3 })));
    expect(stage.events("NodeGivenUp")).toMatchObject([{ data: { attempts: 3 } }]);
  });

  test("one that was given up and comes back is a recovered one", () => {
    const stage = running({ web: onNode4 });
    stage.loseMachine("node-4", 35_000);
    stage.until(() => stage.node("node-4")?.recovery?.state === "givenUp", 40_000);
    stage.until(() => isBack(stage, "node-4"), 30_000);
    expect(stage.node("node-4")?.recovery).toBeUndefined();
    expect(stage.events("NodeRecovered")).toMatchObject([{ data: { attempts: 3 } }]);
    stage.until(() => stage.runs("web", "node-4"), 5_000);
  });

  test("each attempt runs the recover command, on another node, and tells how it ended", () => {
    const stage = running({ web: onNode4 }, { hooks: { recover: "failed" } });
    stage.loseMachine("node-4");
    stage.until(() => stage.node("node-4")?.recovery?.state === "givenUp", 40_000);
    const ended = stage.events("HookEnded").map(({ data }) => data);
    expect(ended).toHaveLength(3);
    expect(ended[0]).toMatchObject({ hook: "recover", target: "node-4", node: "node-1" });
    expect(stage.node("node-4")?.evidence?.join()).toMatch(
      /recover command, run 3 on node-1: failed/,
    );
  });

  test("attempts go on under the next leader, each at its time and once", () => {
    const stage = running({ web: onNode4 });
    stage.loseMachine("node-4");
    stage.until(() => stage.events("RecoveryAttempted").length === 1, 10_000);
    stage.crashNode(stage.leader() ?? "", 3_000);
    stage.until(() => stage.node("node-4")?.recovery?.state === "givenUp", 40_000);
    const numbers = stage.fired("recovery-due").map(({ event }) => event.data);
    expect(stage.events("RecoveryAttempted")).toHaveLength(3);
    expect(numbers.length).toBeLessThanOrEqual(4);
  });
});

describe("the tracking station", () => {
  test("each tracking node may be cut off in turn: what is asked for is done all along", () => {
    const stage = running({ web: onNode4 });
    for (const node of tracking) {
      const heal = stage.cut(node);
      stage.until(() => ![null, node].includes(stage.leader()), 10_000);
      decides(stage);
      heal();
      stage.until(() => isBack(stage, node), 10_000);
    }
    expect(stage.lives("web")).toHaveLength(4);
  });

  test("each tracking node may be killed and started in turn: what is asked for is done all along", () => {
    const stage = running({ web: onNode4 });
    for (const node of tracking) {
      stage.crashNode(node, 3_000);
      stage.until(() => ![null, node].includes(stage.leader()), 10_000);
      decides(stage);
      stage.until(() => stage.isUp(node) && isBack(stage, node), 10_000);
    }
    expect(stage.lives("web")).toHaveLength(4);
  });

  test("without a majority nothing is decided; what happened meanwhile is decided after it", () => {
    const stage = running({ web: onNode4 });
    stage.run(10_000);
    const heals = ["node-1", "node-2"].map((node) => stage.cut(node));
    stage.run(2_000);
    const before = stage.fired().length;
    stage.crashService("web");
    stage.run(5_000);
    expect(stage.fired()).toHaveLength(before);
    for (const heal of heals) heal();
    stage.until(() => stage.runs("web"), 20_000);
    expect(stage.fired("restart-failed")).toHaveLength(1);
  });

  test("all are cut off for longer than any lease, and two are joined again: they decide", () => {
    const stage = running({ web: onNode4 });
    const heals = tracking.map((node) => stage.cut(node));
    stage.run(15_000);
    for (const heal of heals.slice(0, 2)) heal();
    stage.until(() => ["node-1", "node-2"].includes(stage.leader() ?? ""), 20_000);
    decides(stage);
    stage.until(() => isDown(stage, "node-3"), 10_000);
  });

  test("all are killed and two are started again: they decide, under a later epoch", () => {
    const stage = running({ web: onNode4 });
    const before = stage.epoch();
    for (const node of tracking) stage.crashNode(node, node === "node-3" ? undefined : 2_000);
    stage.until(() => stage.leader() === null);
    stage.until(() => stage.leader() !== null, 20_000);
    expect(stage.epoch()).toBeGreaterThan(before);
    decides(stage);
  });

  test("a station of one node comes back with all that it knew, and nobody deploys again", () => {
    const stage = running({ web: {} }, { tracking: 1, satellites: 1 });
    stage.crashNode("node-1", 2_000);
    stage.until(() => stage.leader() === null);
    stage.until(() => stage.leader() === "node-1", 20_000);
    stage.until(() => stage.runs("web"), 10_000);
    expect(stage.events("ClusterApplied")).toHaveLength(1);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("every halond is killed and started again: all services run, and no process was lost", () => {
    const stage = running({ web: onNode4, api: { placement: { type: "every" } } });
    for (const node of [...tracking, "node-4", "node-5"]) stage.crashNode(node, 2_000);
    stage.run(2_500);
    stage.until(() => stage.leader() !== null, 20_000);
    stage.until(() => stage.runs("web") && stage.runsOn("api").length === 5, 20_000);
    expect(stage.lives("api")).toHaveLength(5);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("every machine is lost and starts again: all services start again, each once", () => {
    const stage = running({ web: onNode4, api: { placement: { type: "every" } } });
    for (const node of [...tracking, "node-4", "node-5"]) stage.loseMachine(node, 2_000);
    stage.run(2_500);
    stage.until(() => stage.runs("web") && stage.runsOn("api").length === 5, 30_000);
    expect(stage.lives("api")).toHaveLength(10);
    expect(stage.lives("web")).toHaveLength(2);
  });
});
