import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

const job = { exclusive: true, prefer: ["node-4"] } as const;

/** `job` runs under its lease on node-4, a satellite, and has for a while. */
function held(options: StageOptions = {}): Stage {
  const stage = createStage({ satellites: 2, services: { job, web: {} }, ...options });
  stage.ready();
  stage.deploy("job", "web");
  stage.until(() => stage.runs("job", "node-4"));
  stage.run(3_000);
  return stage;
}

const hasMoved = (stage: Stage): boolean => stage.runs("job") && !stage.runs("job", "node-4");
const isDown = (stage: Stage, node: string): boolean => stage.node(node)?.state === "down";
const nodesOf = (stage: Stage): readonly string[] => stage.lives("job").map(({ node }) => node);

/** What is asked for is done. */
function done(stage: Stage, asked: ReturnType<Stage["drain"]>): void {
  stage.until(() => stage.outcome(asked) === true, 10_000);
}

describe("what holds an exclusive service where it is", () => {
  test("a deployment that waits for its node: it is given up, and starts there again", () => {
    const stage = held({ services: { job: { ...job, onNodeLoss: "wait" }, web: {} } });
    stage.loseMachine("node-4", 15_000);
    stage.run(12_000);
    expect(stage.places("job")).toEqual(["node-4"]);
    stage.until(() => stage.runs("job", "node-4"), 15_000);
    expect(nodesOf(stage)).toEqual(["node-4", "node-4"]);
  });

  test("a breaker that is tripped: it moves when a person has reset it", () => {
    const stage = held({ satellites: 5, services: { job, web: {} } });
    for (const node of ["node-4", "node-5", "node-6"]) stage.loseMachine(node);
    stage.until(() => stage.breaker() !== undefined, 4_000);
    stage.run(10_000);
    expect(stage.places("job")).toEqual(["node-4"]);
    done(stage, stage.resetBreaker());
    stage.until(() => hasMoved(stage), 5_000);
    expect(stage.lives("job").map(({ token }) => token)).toEqual([1, 2]);
  });

  test("a breaker that resets itself: it starts where it was", () => {
    const stage = held({ satellites: 5, services: { job, web: {} } });
    for (const node of ["node-4", "node-5", "node-6"]) stage.loseMachine(node, 10_000);
    stage.until(() => stage.runs("job", "node-4") && stage.lives("job").length === 2, 20_000);
    expect(nodesOf(stage)).toEqual(["node-4", "node-4"]);
  });

  test("maintenance of its node: it is not moved, and starts there again when that is over", () => {
    const stage = held();
    done(stage, stage.maintain("node-4", true));
    stage.loseMachine("node-4", 10_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.run(6_000);
    expect(stage.places("job")).toEqual(["node-4"]);
    stage.until(() => !isDown(stage, "node-4"), 10_000);
    done(stage, stage.maintain("node-4", false));
    stage.until(() => stage.runs("job", "node-4"), 5_000);
    expect(nodesOf(stage)).toEqual(["node-4", "node-4"]);
  });

  test("a person who removes the lost node says nothing about the lease: that is waited for", () => {
    const stage = held();
    const from = stage.nowMs;
    stage.loseMachine("node-4");
    stage.until(() => isDown(stage, "node-4"), 3_000);
    done(stage, stage.decommission("node-4"));
    expect(stage.lives("job")).toHaveLength(1);
    stage.until(() => hasMoved(stage), 10_000);
    expect(stage.lives("job")[1]?.fromMs).toBeGreaterThan(from + 2_000);
  });

  test("a place that one person stopped it in stays stopped wherever it goes", () => {
    const stage = held();
    done(stage, stage.stop("job"));
    stage.loseMachine("node-4");
    stage.until(() => stage.places("job").join() !== "node-4", 10_000);
    stage.run(5_000);
    expect(stage.lives("job")).toHaveLength(1);
    stage.start("job");
    stage.until(() => hasMoved(stage), 5_000);
  });

  test("no node that can take it: it waits, and goes to the first that comes", () => {
    const placement = { type: "label", label: "disk=ssd" } as const;
    const services = { job: { exclusive: true, placement }, web: {} };
    const stage = held({ services, labels: { "node-4": ["disk=ssd"] } });
    stage.loseMachine("node-4");
    stage.run(10_000);
    expect(stage.lives("job")).toHaveLength(1);
    stage.relabel("node-5", { disk: "ssd" });
    stage.crashNode("node-5", 200);
    stage.until(() => stage.runs("job", "node-5"), 5_000);
  });
});

describe("a fence command", () => {
  const fenced = { job: { ...job, fence: "command" }, web: {} } as const;

  test("that is done: it moves after the lease has ended and the command has", () => {
    const stage = held({ services: fenced, hooks: { fence: "done" } });
    stage.crashNode("node-4");
    stage.until(() => hasMoved(stage), 10_000);
    const [ended, ...more] = stage.events("HookEnded");
    expect(ended?.data).toMatchObject({ hook: "fence", target: "node-4", outcome: "done" });
    expect(more).toEqual([]);
    const hook = stage.fired("fence-ended")[0]?.atMs ?? Number.POSITIVE_INFINITY;
    expect(stage.lives("job")[1]?.fromMs).toBeGreaterThan(hook);
    expect(stage.lives("job")[0]?.untilMs).toBeLessThan(hook);
  });

  test("that fails: it stays where it is, and says why", () => {
    const stage = held({ services: fenced, hooks: { fence: "failed" } });
    stage.loseMachine("node-4");
    stage.until(() => stage.events("HookEnded").length === 1, 10_000);
    stage.run(5_000);
    expect(stage.lives("job")).toHaveLength(1);
    expect(stage.instances("job")).toMatchObject([{ state: "unknown" }]);
    expect(stage.instances("job")[0]?.reason).toMatch(/fence command on node-1 ended as failed/);
    expect(stage.places("job")).toEqual(["node-4"]);
  });

  test("that fails is tried again: later by itself, or at once when a person starts the service", () => {
    const stage = held({ services: fenced, hooks: { fence: "failed" } });
    stage.loseMachine("node-4");
    stage.until(() => stage.events("HookEnded").length === 1, 10_000);
    stage.start("job");
    stage.until(() => stage.events("HookEnded").length === 2, 2_000);
    stage.until(() => stage.events("HookEnded").length === 3, 100_000);
    expect(stage.lives("job")).toHaveLength(1);
  });

  test("that has failed: a node that comes back has its service again", () => {
    const stage = held({ services: fenced, hooks: { fence: "failed" } });
    stage.loseMachine("node-4", 12_000);
    stage.until(() => stage.events("HookEnded").length === 1, 10_000);
    stage.until(() => stage.runs("job", "node-4"), 20_000);
    stage.run(30_000);
    expect(stage.events("HookEnded")).toHaveLength(1);
    expect(nodesOf(stage)).toEqual(["node-4", "node-4"]);
  });

  test("is not run while the breaker is tripped, and is when a person has reset it", () => {
    const stage = held({ satellites: 5, services: fenced, hooks: { fence: "done" } });
    for (const node of ["node-4", "node-5", "node-6"]) stage.loseMachine(node);
    stage.until(() => stage.breaker() !== undefined, 4_000);
    stage.run(10_000);
    expect(stage.events("HookEnded")).toEqual([]);
    done(stage, stage.resetBreaker());
    stage.until(() => hasMoved(stage), 5_000);
    expect(stage.events("HookEnded")).toHaveLength(1);
  });

  test("is not run of a node that a person removed: that is word enough", () => {
    const stage = held({ services: fenced, hooks: { fence: "failed" } });
    stage.loseMachine("node-4");
    stage.until(() => stage.events("HookEnded").length === 1, 10_000);
    done(stage, stage.decommission("node-4"));
    stage.until(() => hasMoved(stage), 5_000);
    expect(stage.events("HookEnded")).toHaveLength(1);
  });

  test("is run again when the same start of the node is lost again", () => {
    const stage = held({ services: fenced, hooks: { fence: "done" } });
    const heal = stage.cut("node-4");
    stage.until(() => hasMoved(stage), 10_000);
    heal();
    stage.until(() => stage.node("node-4")?.state === "up", 10_000);
    done(stage, stage.drain(stage.runsOn("job")[0] ?? ""));
    stage.until(() => stage.runs("job", "node-4"), 5_000);
    stage.run(3_000);
    stage.cut("node-4");
    stage.until(() => hasMoved(stage), 10_000);
    expect(stage.events("HookEnded")).toHaveLength(2);
  });

  test("is not run of a node that is back before the lease ends", () => {
    const stage = held({ services: fenced, hooks: { fence: "done" } });
    stage.crashNode("node-4", 1_500);
    stage.run(15_000);
    expect(stage.events("HookEnded")).toEqual([]);
    expect(stage.lives("job")).toMatchObject([{ end: null }]);
  });
});
