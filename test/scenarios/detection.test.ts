import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

/** Three tracking nodes and two satellites; `web` runs on node-4, and all has been calm for a while. */
function calm(options: StageOptions = {}): Stage {
  const services = { web: { placement: { type: "node", node: "node-4" } } } as const;
  const stage = createStage({ satellites: 2, services, ...options });
  stage.ready();
  stage.deploy("web");
  stage.until(() => stage.runs("web"));
  stage.run(3_000);
  return stage;
}

const leaderOf = (stage: Stage): string => stage.leader() ?? "";
const followerOf = (stage: Stage): string => (stage.leader() === "node-1" ? "node-2" : "node-1");
const allNodes = ["node-1", "node-2", "node-3", "node-4", "node-5"];
const concluded = (stage: Stage, node = "node-4"): readonly string[] =>
  stage.observed(node).map(({ type }) => type);
const isDown = (stage: Stage, node: string): boolean => stage.node(node)?.state === "down";
const nobodyIsDoubted = (stage: Stage): void =>
  expect(allNodes.flatMap((node) => stage.observed(node))).toEqual([]);

describe("a node that ends or falls silent", () => {
  test("one whose halond dies is suspected by the end of its connection, and lost after 1 s", () => {
    const stage = calm();
    const from = stage.nowMs;
    stage.crashNode("node-4");
    stage.run(3_000);
    const [suspected, lost, ...more] = stage.observed("node-4");
    expect(suspected).toMatchObject({ type: "NodeSuspected", reason: "the other side has gone" });
    expect(suspected?.atMs).toBeLessThan(from + 100);
    expect(lost?.type).toBe("NodeLost");
    expect(lost?.atMs).toBeGreaterThan(from + 900);
    expect(lost?.atMs).toBeLessThan(from + 1_500);
    expect(more).toEqual([]);
  });

  test.each(["the machine goes", "it is cut off"])("%s: it is down within 2 s, once", (how) => {
    const stage = calm();
    const from = stage.nowMs;
    if (how === "the machine goes") stage.loseMachine("node-4");
    else stage.cut("node-4");
    stage.until(() => stage.node("node-4")?.state === "down", 2_000);
    stage.run(5_000);
    expect(concluded(stage)).toEqual(["NodeSuspected", "NodeLost"]);
    expect(stage.observed("node-4")[0]?.atMs).toBeGreaterThan(from + 400);
    expect(stage.fired("node-lost")).toHaveLength(1);
  });

  test("silence shorter than a second is a suspicion that is withdrawn, and nothing moves", () => {
    const stage = calm();
    const heal = stage.cut("node-4");
    stage.run(700);
    expect(stage.node("node-4")?.state).toBe("suspect");
    heal();
    stage.until(() => stage.node("node-4")?.state === "up", 1_000);
    stage.run(5_000);
    expect(concluded(stage)).toEqual(["NodeSuspected", "NodeTrusted"]);
    expect(stage.fired("node-lost")).toEqual([]);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("one that is cut off and healed joins again with the same incarnation", () => {
    const stage = calm();
    const before = stage.node("node-4")?.incarnation;
    const heal = stage.cut("node-4");
    stage.until(() => stage.node("node-4")?.state === "down");
    heal();
    stage.until(() => stage.node("node-4")?.state === "up", 10_000);
    stage.run(2_000);
    expect(stage.node("node-4")?.incarnation).toBe(before);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("why a node is down stands at the node, with what that rests on", () => {
    const stage = calm();
    stage.loseMachine("node-4");
    stage.until(() => stage.node("node-4")?.state === "down");
    expect(stage.node("node-4")?.reason).toMatch(/no beat for 1\.\d s/);
    expect(stage.node("node-4")?.evidence?.length).toBeGreaterThan(1);
  });
});

describe("a path that is broken in part", () => {
  test("cut from the leader alone, it is suspected, and others who hear it keep it from being lost", () => {
    const stage = calm();
    const heal = stage.cutBetween("node-4", leaderOf(stage));
    stage.run(5_000);
    expect(stage.node("node-4")).toMatchObject({ state: "suspect" });
    expect(stage.node("node-4")?.reason).toMatch(/the path to it is broken, the node is not/);
    heal();
    stage.until(() => stage.node("node-4")?.state === "up", 5_000);
    expect(stage.observed("node-4", "NodeLost")).toEqual([]);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("cut from the leader for 10 s it is lost all the same, for nobody can tell it anything", () => {
    const stage = calm();
    const from = stage.nowMs;
    stage.cutBetween("node-4", leaderOf(stage));
    stage.until(() => stage.node("node-4")?.state === "down", 12_000);
    const [lost, ...more] = stage.observed("node-4", "NodeLost");
    expect(lost?.atMs).toBeGreaterThan(from + 10_000);
    expect(more).toEqual([]);
  });

  test("one that cannot send is lost within 2 s", () => {
    const stage = calm();
    stage.cut("node-4", "outbound");
    stage.until(() => stage.node("node-4")?.state === "down", 2_000);
    expect(concluded(stage)).toEqual(["NodeSuspected", "NodeLost"]);
  });

  test("one that cannot hear goes on beating: it is suspected, and lost only after 10 s", () => {
    const stage = calm();
    const from = stage.nowMs;
    stage.cut("node-4", "inbound");
    stage.until(() => stage.node("node-4")?.state === "suspect", 3_000);
    stage.until(() => stage.node("node-4")?.state === "down", 15_000);
    expect(stage.nowMs).toBeGreaterThan(from + 10_000);
    expect(stage.node("node-4")?.reason).toMatch(/cannot reach it, though its last beat came/);
  });

  test("nodes that do not lead may lose each other: nobody is doubted for it", () => {
    const stage = calm();
    stage.cutBetween("node-4", "node-5");
    stage.cutBetween("node-4", followerOf(stage));
    stage.run(15_000);
    nobodyIsDoubted(stage);
  });

  test("a leader that cannot send is replaced, and is the only one that is lost", () => {
    const stage = calm();
    const old = leaderOf(stage);
    const heal = stage.cut(old, "outbound");
    stage.until(() => stage.leader() !== old && stage.node(old)?.state === "down");
    heal();
    stage.until(() => stage.node(old)?.state === "up", 10_000);
    const lost = stage.events("NodeLost").map(({ data }) => data);
    expect(lost).toMatchObject([{ node: old }]);
  });

  test("a leader that cannot hear steps down, and what it concluded of others is in no record", () => {
    const stage = calm();
    const old = leaderOf(stage);
    const heal = stage.cut(old, "inbound");
    stage.until(() => stage.leader() !== old && stage.node(old)?.state === "down");
    heal();
    stage.until(() => stage.node(old)?.state === "up", 10_000);
    expect(stage.events("NodeLost").map(({ data }) => data)).toMatchObject([{ node: old }]);
  });

  test("connections that close and are opened again lose nobody", () => {
    const stage = calm();
    for (const node of allNodes) {
      stage.resetLinks(node);
      stage.run(1_500);
    }
    expect(allNodes.flatMap((node) => stage.observed(node, "NodeLost"))).toEqual([]);
    stage.until(() => allNodes.every((node) => stage.node(node)?.state === "up"), 2_000);
    expect(stage.lives("web")).toHaveLength(1);
  });
});

describe("nodes that are slow, stand still or hang", () => {
  test("a slow node that answers is not doubted", () => {
    const stage = calm();
    stage.slowNode("node-4", 300);
    stage.run(15_000);
    nobodyIsDoubted(stage);
  });

  test("a slow leader doubts itself and not the others", () => {
    const stage = calm();
    stage.slowNode(leaderOf(stage), 400);
    stage.run(15_000);
    nobodyIsDoubted(stage);
  });

  test("a node that stands still for less than a second is suspected and trusted again", () => {
    const stage = calm();
    stage.pauseNode("node-4", 700);
    stage.run(5_000);
    expect(concluded(stage)).toEqual(["NodeSuspected", "NodeTrusted"]);
  });

  test("a node that stands still for long is lost, and joins again as it was", () => {
    const stage = calm();
    stage.pauseNode("node-4", 5_000);
    stage.until(() => stage.node("node-4")?.state === "down", 2_000);
    stage.until(() => stage.node("node-4")?.state === "up", 6_000);
    stage.run(2_000);
    expect(concluded(stage)).toEqual(["NodeSuspected", "NodeLost"]);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("a leader that stood still blames nobody when it goes on", () => {
    const stage = calm();
    const old = leaderOf(stage);
    stage.pauseNode(old, 5_000);
    stage.run(12_000);
    expect(stage.node(old)?.state).toBe("up");
    expect(stage.events("NodeLost").map(({ data }) => data)).toMatchObject([{ node: old }]);
    const others = allNodes.filter((node) => node !== old);
    expect(others.flatMap((node) => stage.observed(node))).toEqual([]);
  });

  test("a main thread that hangs for 3 s is suspected, by its counter, and trusted when it turns", () => {
    const stage = calm();
    stage.hangMain("node-4", 3_000);
    stage.run(8_000);
    expect(concluded(stage)).toEqual(["NodeSuspected", "NodeTrusted"]);
    expect(stage.observed("node-4")[0]?.reason).toMatch(/its main thread stands still for 2/);
  });

  test("a main thread that hangs for 5 s is a loss, though its beats come", () => {
    const stage = calm();
    const from = stage.nowMs;
    stage.hangMain("node-4", 8_000);
    stage.until(() => stage.node("node-4")?.state === "down", 6_000);
    // It counts from the last turn that a beat told of.
    expect(stage.nowMs).toBeGreaterThan(from + 4_800);
    expect(stage.node("node-4")?.reason).toMatch(/its main thread stands still/);
    stage.until(() => stage.node("node-4")?.state === "up", 10_000);
  });

  test("a node that flaps is suspected three times in a minute, and then has to be silent for longer", () => {
    const stage = calm();
    for (let i = 0; i < 6; i += 1) {
      const heal = stage.cut("node-4");
      stage.run(650);
      heal();
      stage.run(4_000);
    }
    expect(stage.observed("node-4", "NodeSuspected")).toHaveLength(3);
    expect(stage.observed("node-4", "NodeLost")).toEqual([]);
  });

  test("a damped node that dies is lost within 2 s all the same", () => {
    const stage = calm();
    for (let i = 0; i < 3; i += 1) {
      const heal = stage.cut("node-4");
      stage.run(650);
      heal();
      stage.run(4_000);
    }
    stage.loseMachine("node-4");
    stage.until(() => stage.node("node-4")?.state === "down", 2_000);
  });

  test("a wall clock that jumps by an hour makes nobody suspect", () => {
    const stage = calm();
    stage.jumpWall(leaderOf(stage), 3_600_000);
    stage.jumpWall("node-4", -3_600_000);
    stage.run(5_000);
    nobodyIsDoubted(stage);
  });
});

describe("a new leader", () => {
  test("loses the leader that died, and none of those who come to it", () => {
    const stage = calm();
    const old = leaderOf(stage);
    stage.crashNode(old);
    stage.until(() => stage.node(old)?.state === "down", 3_000);
    stage.run(5_000);
    expect(stage.events("NodeLost")).toHaveLength(1);
    expect(stage.fired("node-suspected").every(({ event }) => eventNode(event) === old)).toBe(true);
  });

  test("loses what died with its predecessor within 4 s of its takeover, and nobody else", () => {
    const stage = calm();
    const old = leaderOf(stage);
    stage.loseMachine(old);
    stage.loseMachine("node-4");
    stage.until(() => isDown(stage, "node-4") && isDown(stage, old), 10_000);
    expect(stage.nowMs).toBeLessThan((stage.takeovers().at(-1)?.atMs ?? 0) + 4_500);
    expect(stage.events("NodeLost")).toHaveLength(2);
    stage.run(5_000);
    expect(stage.node("node-5")?.state).toBe("up");
  });

  test("when the coordinator alone dies, no node is doubted", () => {
    const stage = calm();
    stage.crashCoordinator();
    stage.until(() => stage.leader() === null);
    stage.until(() => stage.leader() !== null);
    stage.run(6_000);
    nobodyIsDoubted(stage);
  });
});

const eventNode = ({ data }: { readonly data: unknown }): unknown =>
  (data as { readonly node?: string }).node;

describe("supervisors and who watches them", () => {
  test("each supervisor is watched by two of other nodes", () => {
    const stage = calm();
    for (const node of allNodes) {
      expect(new Set(stage.watchers(node)).size).toBe(2);
      expect(stage.watchers(node)).not.toContain(node);
    }
  });

  test("when a node is lost others watch in its place, and when it is back it watches again", () => {
    const stage = calm();
    stage.loseMachine("node-4", 4_000);
    stage.until(() => allNodes.every((node) => !stage.watchers(node).includes("node-4")), 3_000);
    for (const node of allNodes.filter((one) => one !== "node-4"))
      expect(stage.watchers(node)).toHaveLength(2);
    stage.until(() => allNodes.some((node) => stage.watchers(node).includes("node-4")), 10_000);
    for (const node of allNodes) expect(stage.watchers(node)).toHaveLength(2);
  });

  test("one that ends is started again, once, by the word of its watchers, with the same set", () => {
    const stage = calm();
    stage.crashSupervisor("node-4");
    stage.until(() => stage.fired("supervisor-started").length > allNodes.length, 4_000);
    stage.run(4_000);
    const restarts = stage.fired("supervisor-failed").flatMap(({ commands }) => commands);
    expect(restarts).toEqual(["RestartSupervisor"]);
    expect(stage.events("SupervisorStarted").at(-1)?.data).toMatchObject({ monitors: 1 });
    nobodyIsDoubted(stage);
  });

  test("a supervisor that is back sees what fails", () => {
    const stage = calm();
    stage.crashSupervisor("node-4");
    stage.until(() => stage.fired("supervisor-started").length > allNodes.length, 4_000);
    stage.hangService("web");
    stage.until(() => stage.lives("web").length === 2, 20_000);
    expect(stage.fired("restart-failed")).toHaveLength(1);
  });

  test("in a cluster of one node a supervisor that ends begins again by itself", () => {
    const stage = createStage({ tracking: 1, services: { web: {} } });
    stage.ready();
    stage.crashSupervisor("node-1");
    stage.until(() => stage.fired("supervisor-started").length === 2, 10_000);
    expect(stage.fired("supervisor-failed")).toEqual([]);
  });
});
