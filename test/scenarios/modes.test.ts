import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

const onNode4 = { placement: { type: "node", node: "node-4" } } as const;
const preferNode4 = { prefer: ["node-4"] } as const;

/** Three tracking nodes and some satellites, on which all that can be deployed runs. */
function running(services: StageOptions["services"], satellites = 2): Stage {
  const stage = createStage({ satellites, services: services ?? {} });
  const names = Object.keys(services ?? {});
  stage.ready();
  stage.deploy(...names);
  stage.until(() => names.every((name) => stage.runs(name)));
  stage.run(2_000);
  return stage;
}

/** It is asked for, and done. */
function done(stage: Stage, asked: ReturnType<Stage["drain"]>): void {
  stage.until(() => stage.outcome(asked) === true, 20_000);
}

const isDown = (stage: Stage, node: string): boolean => stage.node(node)?.state === "down";
const isBack = (stage: Stage, node: string): boolean => stage.node(node)?.state === "up";

describe("maintenance", () => {
  test("what fails on a node in maintenance is left alone, and starts when that is over", () => {
    const stage = running({ web: preferNode4 });
    done(stage, stage.maintain("node-4", true));
    stage.crashService("web");
    stage.run(10_000);
    expect(stage.processes("web")).toEqual([]);
    expect(stage.places("web")).toEqual(["node-4"]);
    done(stage, stage.maintain("node-4", false));
    stage.until(() => stage.runs("web", "node-4"), 5_000);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("one that is lost in maintenance is not brought back, and nothing moves off it", () => {
    const stage = running({ web: preferNode4 });
    done(stage, stage.maintain("node-4", true));
    stage.loseMachine("node-4");
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.run(15_000);
    expect(stage.node("node-4")?.recovery).toBeUndefined();
    expect(stage.events("NodeTransient")).toEqual([]);
    expect(stage.places("web")).toEqual(["node-4"]);
  });

  test("when its maintenance ends while it is lost, it is waited for, and what ran there moves", () => {
    const stage = running({ web: preferNode4 });
    done(stage, stage.maintain("node-4", true));
    stage.loseMachine("node-4");
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.run(3_000);
    done(stage, stage.maintain("node-4", false));
    stage.until(() => stage.runs("web") && !stage.runs("web", "node-4"), 5_000);
    expect(stage.events("NodeTransient")).toHaveLength(1);
  });

  test("maintenance of a node that is waited for ends the attempts", () => {
    const stage = running({ web: onNode4 });
    stage.loseMachine("node-4");
    stage.until(() => stage.events("RecoveryAttempted").length === 1, 10_000);
    done(stage, stage.maintain("node-4", true));
    stage.run(20_000);
    expect(stage.events("RecoveryAttempted")).toHaveLength(1);
    expect(stage.events("NodeGivenUp")).toEqual([]);
  });

  test("a node that comes back in maintenance is still in maintenance", () => {
    const stage = running({ web: onNode4 });
    done(stage, stage.maintain("node-4", true));
    stage.loseMachine("node-4", 4_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.until(() => isBack(stage, "node-4"), 10_000);
    stage.run(5_000);
    expect(stage.node("node-4")?.mode).toBe("maintenance");
    expect(stage.processes("web")).toEqual([]);
    expect(stage.instances("web")).toMatchObject([{ state: "failed" }]);
  });
});

describe("draining", () => {
  test("what can move moves, its replacement first, and then the drain is done", () => {
    const stage = running({ web: preferNode4 });
    const drained = stage.drain("node-4");
    stage.until(() => stage.processes("web").length === 2, 5_000);
    stage.until(() => stage.outcome(drained) === true, 10_000);
    expect(stage.runsOn("web")).toHaveLength(1);
    expect(stage.runs("web", "node-4")).toBe(false);
    const [old, next] = stage.lives("web");
    expect(old?.end).toBe("asked");
    expect(old?.untilMs).toBeGreaterThan(next?.fromMs ?? Number.POSITIVE_INFINITY);
  });

  test("what cannot move is stopped, and is started again when the node takes services again", () => {
    const stage = running({ web: onNode4 });
    done(stage, stage.drain("node-4"));
    expect(stage.processes("web")).toEqual([]);
    stage.run(3_000);
    expect(stage.lives("web")).toHaveLength(1);
    done(stage, stage.resume("node-4"));
    stage.until(() => stage.runs("web", "node-4"), 5_000);
  });

  test("when it takes services again, what has moved away does not come back by itself", () => {
    const stage = running({ web: preferNode4 });
    done(stage, stage.drain("node-4"));
    const places = stage.places("web");
    done(stage, stage.resume("node-4"));
    stage.run(5_000);
    expect(stage.places("web")).toEqual(places);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("nothing new is placed on a node that is drained", () => {
    const stage = createStage({ satellites: 1, services: { web: preferNode4 } });
    stage.ready();
    done(stage, stage.drain("node-4"));
    stage.deploy("web");
    stage.until(() => stage.runs("web"), 5_000);
    expect(stage.places("web")).not.toContain("node-4");
  });

  test("a replacement that cannot start leaves the old instance where it is", () => {
    const stage = running({ web: preferNode4 });
    stage.next("web", "failStart", 3);
    const drained = stage.drain("node-4");
    stage.until(() => stage.events("ServiceCouldNotStart").length === 2, 10_000);
    expect(stage.runs("web", "node-4")).toBe(true);
    stage.until(() => stage.outcome(drained) === true, 20_000);
    expect(stage.runs("web")).toBe(true);
  });

  test("a drain has failed, with the reason, when the node is lost before it is empty", () => {
    const stage = running({ web: { ...preferNode4, script: slowStop } });
    const drained = stage.drain("node-4");
    stage.until(() => stage.processes("web").length === 2, 5_000);
    stage.loseMachine("node-4");
    stage.until(() => typeof stage.outcome(drained) === "string", 5_000);
    expect(stage.outcome(drained)).toMatch(/node-4 was lost before it was empty/);
    stage.until(() => stage.runs("web"), 5_000);
  });
});

const slowStop = { readyUs: 20_000, stopUs: 1_800_000, answerUs: 1_000, memoryMb: 20 };

describe("taking a node out", () => {
  test("one that is up and not empty is refused, with what to do first", () => {
    const stage = running({ web: onNode4 });
    const asked = stage.decommission("node-4");
    stage.until(() => stage.outcome(asked) !== false, 5_000);
    expect(stage.outcome(asked)).toMatch(/empty it with `halonctl node drain node-4`/);
    expect(stage.lives("web")).toMatchObject([{ end: null }]);
  });

  test("a tracking node is refused, even when it is down", () => {
    const stage = running({ web: onNode4 });
    const lost = stage.leader() === "node-1" ? "node-2" : "node-1";
    stage.loseMachine(lost);
    stage.until(() => isDown(stage, lost), 3_000);
    const asked = stage.decommission(lost);
    stage.until(() => stage.outcome(asked) !== false, 5_000);
    expect(stage.outcome(asked)).toMatch(/is a tracking node/);
  });

  test("one that was emptied is taken out, and what runs elsewhere is not touched", () => {
    const stage = running({ web: preferNode4 });
    done(stage, stage.drain("node-4"));
    done(stage, stage.decommission("node-4"));
    stage.run(5_000);
    expect(stage.node("node-4")).toMatchObject({ state: "down", mode: "decommissioned" });
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("one that is lost and taken out is not brought back any more, and what ran there moves", () => {
    const stage = running({ web: { ...preferNode4, onNodeLoss: "wait" } });
    stage.loseMachine("node-4");
    stage.until(() => stage.events("RecoveryAttempted").length === 1, 10_000);
    done(stage, stage.decommission("node-4"));
    stage.until(() => stage.runs("web"), 5_000);
    stage.run(20_000);
    expect(stage.events("RecoveryAttempted")).toHaveLength(1);
    expect(stage.node("node-4")?.recovery).toBeUndefined();
  });

  test("what broke there before it was taken out has new tries when it is taken back", () => {
    const stage = running({ web: onNode4 });
    for (let failures = 1; stage.slot("web", "node-4")?.broken === undefined; failures += 1) {
      stage.crashService("web");
      stage.until(() => stage.fired("restart-failed").length === failures);
      stage.until(() => stage.runs("web") || stage.slot("web", "node-4")?.broken !== undefined);
    }
    stage.loseMachine("node-4", 10_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    done(stage, stage.decommission("node-4"));
    done(stage, stage.resume("node-4"));
    stage.until(() => stage.runs("web", "node-4"), 20_000);
    expect(stage.slot("web", "node-4")?.broken).toBeUndefined();
  });

  test("one that was taken out may not join under that name until it is resumed", () => {
    const stage = running({ web: preferNode4 });
    stage.loseMachine("node-4", 8_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    done(stage, stage.decommission("node-4"));
    stage.until(() => stage.isUp("node-4"), 10_000);
    stage.run(5_000);
    expect(stage.node("node-4")?.state).toBe("down");
    done(stage, stage.resume("node-4"));
    stage.until(() => isBack(stage, "node-4"), 10_000);
    expect(stage.node("node-4")?.mode).toBeUndefined();
  });
});

describe("the breaker", () => {
  const satellites = ["node-4", "node-5", "node-6"];
  /** Of eight nodes the first three satellites are lost, a moment after one another; `web` ran on one of them. */
  function threeLost(forMs?: number): Stage {
    const stage = running({ web: preferNode4 }, 5);
    for (const node of satellites) {
      stage.loseMachine(node, forMs);
      stage.run(100);
    }
    stage.until(() => satellites.every((node) => isDown(stage, node)), 3_000);
    return stage;
  }

  test("when more than a third is lost at once it trips, once, and nothing moves", () => {
    const stage = threeLost();
    stage.run(20_000);
    expect(stage.events("BreakerTripped")).toMatchObject([{ data: { nodes: satellites } }]);
    expect(stage.breaker()?.nodes).toEqual(satellites);
    expect(stage.places("web")).toEqual(["node-4"]);
    expect(stage.events("ServiceMoved")).toEqual([]);
  });

  test("two of eight trip nothing: what ran there moves", () => {
    const stage = running({ web: preferNode4 }, 5);
    for (const node of ["node-4", "node-5"]) stage.loseMachine(node);
    stage.until(() => stage.runs("web"), 5_000);
    expect(stage.events("BreakerTripped")).toEqual([]);
    expect(stage.events("ServiceMoved")).toHaveLength(1);
  });

  test("three of twelve are no more than the share: what ran there moves", () => {
    const stage = running({ web: preferNode4 }, 9);
    for (const node of satellites) stage.loseMachine(node);
    stage.until(() => stage.runs("web"), 5_000);
    expect(stage.events("BreakerTripped")).toEqual([]);
  });

  test("losses that are more than a minute apart do not count together", () => {
    const stage = running({ web: preferNode4 }, 5);
    for (const node of ["node-5", "node-6"]) stage.loseMachine(node);
    stage.run(62_000);
    stage.loseMachine("node-4");
    stage.until(() => stage.runs("web"), 5_000);
    expect(stage.events("BreakerTripped")).toEqual([]);
  });

  test("a person resets it: then what was lost moves", () => {
    const stage = threeLost();
    stage.run(5_000);
    done(stage, stage.resetBreaker());
    stage.until(() => stage.runs("web"), 5_000);
    expect(stage.breaker()).toBeUndefined();
    expect(stage.events("BreakerReset")).toHaveLength(1);
    expect(stage.events("ServiceMoved")).toHaveLength(1);
  });

  test("after a reset the losses before it count no more", () => {
    const stage = threeLost();
    done(stage, stage.resetBreaker());
    stage.loseMachine("node-7");
    stage.until(() => isDown(stage, "node-7"), 3_000);
    stage.run(2_000);
    expect(stage.events("BreakerTripped")).toHaveLength(1);
  });

  test("when all of them are back it resets itself, and what ran there starts where it was", () => {
    const stage = threeLost(6_000);
    stage.until(() => stage.runs("web", "node-4"), 15_000);
    stage.until(() => stage.breaker() === undefined, 5_000);
    expect(stage.events("BreakerReset")).toMatchObject([
      { data: { reason: "all of the lost nodes are back" } },
    ]);
    expect(stage.events("ServiceMoved")).toEqual([]);
  });

  test("one that is back late, after the reset, finds that its services have moved, and stops them", () => {
    const stage = running({ web: preferNode4 }, 5);
    for (const node of satellites) stage.crashNode(node, 20_000);
    stage.until(() => satellites.every((node) => isDown(stage, node)), 3_000);
    done(stage, stage.resetBreaker());
    stage.until(() => stage.runs("web"), 5_000);
    stage.until(() => isBack(stage, "node-4"), 25_000);
    stage.until(() => stage.processes("web").length === 1, 5_000);
    expect(stage.runs("web", "node-4")).toBe(false);
    expect(stage.events("SurplusStopped")).toHaveLength(1);
  });

  test("nodes in maintenance do not count", () => {
    const stage = running({ web: preferNode4 }, 5);
    for (const node of ["node-5", "node-6"]) done(stage, stage.maintain(node, true));
    for (const node of satellites) stage.loseMachine(node);
    stage.until(() => stage.runs("web"), 5_000);
    expect(stage.events("BreakerTripped")).toEqual([]);
  });

  test("what is deployed while it is tripped goes to nodes that are up", () => {
    const stage = createStage({ satellites: 5, services: { web: preferNode4 } });
    stage.ready();
    stage.deploy();
    for (const node of satellites) stage.loseMachine(node);
    stage.until(() => stage.breaker() !== undefined, 4_000);
    stage.deploy("web");
    stage.until(() => stage.runs("web"), 5_000);
    expect(stage.places("web")).toEqual(["node-1"]);
  });

  test("it stays tripped under the next leader", () => {
    const stage = threeLost();
    stage.crashNode(stage.leader() ?? "", 2_000);
    stage.run(15_000);
    expect(stage.breaker()?.nodes).toEqual(satellites);
    expect(stage.events("ServiceMoved")).toEqual([]);
    expect(stage.events("BreakerTripped")).toHaveLength(1);
  });
});
