import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

const job = { exclusive: true, prefer: ["node-4"] } as const;
/** A lease with what clocks may drift and what an end may take. */
const waitMs = 2_600;

/** `job` runs under its lease on node-4, a satellite, and has for a while. */
function held(options: StageOptions = {}): Stage {
  const stage = createStage({ satellites: 2, services: { job, web: {} }, ...options });
  stage.ready();
  stage.deploy("job", "web");
  stage.until(() => stage.runs("job", "node-4"));
  stage.run(3_000);
  return stage;
}

/** It runs on another node than node-4. */
const hasMoved = (stage: Stage): boolean => stage.runs("job") && !stage.runs("job", "node-4");
const tokens = (stage: Stage): readonly (number | null)[] =>
  stage.lives("job").map(({ token }) => token);

/** Each life ends before the next begins. Not of a machine that stood still: what is on it lives, and does nothing. */
function neverTwice(stage: Stage): void {
  const lives = stage.lives("job");
  expect(tokens(stage)).toEqual(lives.map((_, position) => position + 1));
  for (const [position, { fromMs }] of lives.entries())
    if (position > 0) expect(lives[position - 1]?.untilMs).toBeLessThanOrEqual(fromMs);
}

/** The last grant to a node before that moment. */
function lastGrant(stage: Stage, to: string, beforeMs: number): number {
  return stage.grants(to).findLast((atMs) => atMs <= beforeMs) ?? 0;
}

describe("a lease", () => {
  test("the node asks for it before it starts anything", () => {
    const stage = held();
    const [life] = stage.lives("job");
    expect(life?.token).toBe(1);
    expect(stage.grants("node-4")[0]).toBeLessThan(life?.fromMs ?? 0);
    expect(stage.grants("node-4").length).toBeGreaterThan(4);
  });

  test("a service that fails starts again where it was, at once, with the next token", () => {
    const stage = held();
    stage.run(10_000);
    const from = stage.nowMs;
    stage.crashService("job");
    stage.until(() => stage.lives("job").length === 2);
    expect(stage.nowMs).toBeLessThan(from + 500);
    stage.until(() => stage.runs("job", "node-4"));
    neverTwice(stage);
  });

  test("removed and deployed again, its token goes on where it was", () => {
    const stage = held();
    stage.deployOnly("web");
    stage.until(() => stage.processes("job").length === 0);
    stage.run(1_000);
    stage.deploy("job");
    stage.until(() => stage.runs("job"));
    neverTwice(stage);
  });

  test("the keeper ends it by its own clock when halond is gone", () => {
    const stage = held();
    const from = stage.nowMs;
    stage.crashNode("node-4");
    stage.until(() => stage.processes("job").length === 0, 2_100);
    expect(stage.lives("job")[0]?.end).toBe("lease");
    expect(stage.nowMs).toBeGreaterThan(from + 1_400);
  });

  test("the keeper ends it when the main thread of its node hangs, long before that node is lost", () => {
    const stage = held();
    stage.hangMain("node-4", 20_000);
    stage.until(() => stage.processes("job").length === 0, 2_600);
    expect(stage.node("node-4")?.state).not.toBe("down");
    stage.until(() => hasMoved(stage), 15_000);
    neverTwice(stage);
  });

  test("when nobody can grant it, it ends; when somebody can, it starts again", () => {
    const stage = held();
    const heals = ["node-1", "node-2", "node-3"].map((node) => stage.cut(node));
    stage.run(2_500);
    expect(stage.lives("job")).toMatchObject([{ end: "lease" }]);
    stage.run(10_000);
    for (const heal of heals) heal();
    stage.until(() => stage.runs("job"), 20_000);
    neverTwice(stage);
  });

  test("a node that is slow keeps it, and so does one whose wall clock jumps", () => {
    const stage = held();
    stage.slowNode("node-4", 200);
    stage.jumpWall("node-4", 3_600_000);
    stage.run(15_000);
    expect(stage.lives("job")).toHaveLength(1);
  });
});

describe("it moves when its lease has ended, and not before", () => {
  test("halond dies and its process lives on", () => {
    const stage = held();
    stage.crashNode("node-4");
    stage.until(() => hasMoved(stage), 10_000);
    expect(stage.lives("job")[0]?.end).toBe("lease");
    neverTwice(stage);
  });

  test("the machine is gone: nothing runs, and it is waited for all the same", () => {
    const stage = held();
    const from = stage.nowMs;
    stage.loseMachine("node-4");
    stage.until(() => hasMoved(stage), 10_000);
    const waited = (stage.lives("job")[1]?.fromMs ?? 0) - lastGrant(stage, "node-4", from);
    expect(waited).toBeGreaterThan(waitMs);
    expect(waited).toBeLessThan(waitMs + 200);
    expect(stage.fired("lease-ended")).toHaveLength(1);
    neverTwice(stage);
  });

  test("the node is cut off: it ends it, and another starts it", () => {
    const stage = held();
    const heal = stage.cut("node-4");
    stage.until(() => hasMoved(stage), 10_000);
    heal();
    stage.run(10_000);
    expect(stage.lives("job").map(({ end }) => end)).toEqual(["lease", null]);
    neverTwice(stage);
  });

  test.each(["inbound", "outbound"] as const)("the node is cut off %s alone", (shape) => {
    const stage = held();
    const heal = stage.cut("node-4", shape);
    stage.until(() => hasMoved(stage), 20_000);
    heal();
    stage.run(10_000);
    expect(stage.lives("job").map(({ end }) => end)).toEqual(["lease", null]);
    neverTwice(stage);
  });

  test("the way to the leader is cut: it ends with its lease, and stays until its node is lost", () => {
    const stage = held();
    const heal = stage.cutBetween("node-4", stage.leader() ?? "");
    stage.run(6_000);
    expect(stage.lives("job")).toMatchObject([{ end: "lease" }]);
    expect(stage.places("job")).toEqual(["node-4"]);
    heal();
    stage.until(() => stage.runs("job", "node-4"), 10_000);
    neverTwice(stage);
  });

  test("the machine stands still: when it goes on, the keeper acts first", () => {
    const stage = held();
    stage.pauseNode("node-4", 10_000);
    stage.until(() => hasMoved(stage), 9_000);
    stage.until(() => stage.lives("job")[0]?.end !== null, 10_000);
    expect(stage.lives("job").map(({ end }) => end)).toEqual(["lease", null]);
    expect(tokens(stage)).toEqual([1, 2]);
  });

  test("the node says that it leaves: it is waited for a whole lease from then on", () => {
    const stage = held();
    const from = stage.nowMs;
    stage.stopNode("node-4");
    stage.until(() => hasMoved(stage), 10_000);
    expect(stage.lives("job")[1]?.fromMs).toBeGreaterThan(from + waitMs);
    neverTwice(stage);
  });

  test.each([950, 1_050])("clocks that run at %i in a thousand change nothing of that", (rate) => {
    const stage = held({ clockRates: { "node-4": rate, "node-1": 2_000 - rate } });
    const heal = stage.cut("node-4");
    stage.until(() => hasMoved(stage), 10_000);
    heal();
    stage.run(5_000);
    expect(stage.lives("job")).toHaveLength(2);
    neverTwice(stage);
  });

  test("a drain moves it as soon as it has ended, without a wait", () => {
    const stage = held();
    const from = stage.nowMs;
    const drained = stage.drain("node-4");
    stage.until(() => stage.outcome(drained) === true, 5_000);
    stage.until(() => hasMoved(stage), 5_000);
    expect(stage.nowMs).toBeLessThan(from + 1_000);
    expect(stage.lives("job")[0]?.end).toBe("asked");
    neverTwice(stage);
  });

  test("two on one node each wait for their own lease, and move once", () => {
    const services = { job, cron: job, web: {} };
    const stage = createStage({ satellites: 2, services });
    stage.ready();
    stage.deploy("job", "cron");
    stage.until(() => stage.runs("job") && stage.runs("cron"));
    stage.run(3_000);
    expect(stage.runs("cron", "node-4")).toBe(true);
    stage.crashNode("node-4");
    stage.until(() => hasMoved(stage) && stage.runs("cron"), 10_000);
    expect(stage.fired("lease-ended")).toHaveLength(2);
    neverTwice(stage);
  });
});

describe("leaders that change", () => {
  test("the leader dies: the next renews it, and it goes on", () => {
    const stage = held();
    stage.crashNode(stage.leader() ?? "");
    stage.run(10_000);
    expect(stage.lives("job")).toHaveLength(1);
    expect(stage.runs("job", "node-4")).toBe(true);
  });

  test("the coordinator alone dies: it goes on", () => {
    const stage = held();
    stage.crashCoordinator();
    stage.run(10_000);
    expect(stage.lives("job")).toHaveLength(1);
  });

  test.each(["both", "inbound", "outbound"] as const)(
    "the leader is cut off, %s: it grants nothing that its successor does not know of",
    (shape) => {
      const stage = held();
      const old = stage.leader() ?? "";
      const heal = stage.cut(old, shape);
      stage.until(() => ![null, old].includes(stage.leader()), 10_000);
      const [takeover] = stage.takeovers().slice(-1);
      stage.run(10_000);
      heal();
      stage.run(5_000);
      expect(stage.runs("job")).toBe(true);
      expect(stage.grants("node-4").every((atMs) => atMs > 0)).toBe(true);
      expect(stage.grantsOf(old).every((atMs) => atMs < (takeover?.atMs ?? 0))).toBe(true);
      neverTwice(stage);
    },
  );

  test("the leader stands still and goes on: its confirmation fails, and it grants nothing", () => {
    const stage = held();
    const old = stage.leader() ?? "";
    stage.pauseNode(old, 6_000);
    stage.until(() => ![null, old].includes(stage.leader()), 10_000);
    const takeover = stage.takeovers().at(-1)?.atMs ?? 0;
    stage.run(10_000);
    expect(stage.grantsOf(old).every((atMs) => atMs < takeover)).toBe(true);
    neverTwice(stage);
  });

  test("leader and node go together: the next leader waits a whole lease from its takeover", () => {
    const stage = held();
    const old = stage.leader() ?? "";
    stage.crashNode("node-4");
    stage.crashNode(old);
    stage.until(() => hasMoved(stage), 15_000);
    const takeover = stage.takeovers().at(-1);
    expect(takeover?.node).not.toBe(old);
    expect(stage.lives("job")[1]?.fromMs).toBeGreaterThan((takeover?.atMs ?? 0) + waitMs);
    neverTwice(stage);
  });

  test("the leader runs it and is cut off: it ends there before it starts elsewhere", () => {
    const stage = createStage({ satellites: 1, services: { job: { exclusive: true } } });
    stage.ready();
    const drained = ["node-1", "node-2", "node-3", "node-4"]
      .filter((node) => node !== stage.leader())
      .map((node) => stage.drain(node));
    stage.until(() => drained.every((asked) => stage.outcome(asked) === true), 5_000);
    stage.deploy("job");
    const old = stage.leader() ?? "";
    stage.until(() => stage.runs("job", old), 5_000);
    for (const node of ["node-1", "node-2", "node-3", "node-4"]) stage.resume(node);
    stage.run(3_000);
    const from = stage.nowMs;
    stage.cut(old);
    stage.until(() => stage.runs("job") && !stage.runs("job", old), 15_000);
    // A majority has to confirm each grant: what was on its way is the last.
    expect(stage.grantsOf(old).every((atMs) => atMs < from + 10)).toBe(true);
    expect(stage.lives("job")[0]?.end).toBe("lease");
    neverTwice(stage);
  });

  test("the leader changes while it is waited for: it moves at its time, and once", () => {
    const stage = held();
    const from = stage.nowMs;
    stage.loseMachine("node-4");
    stage.until(() => stage.node("node-4")?.state === "down", 3_000);
    stage.crashNode(stage.leader() ?? "", 3_000);
    stage.until(() => hasMoved(stage), 15_000);
    stage.run(5_000);
    const [, next, ...more] = stage.lives("job");
    expect((next?.fromMs ?? 0) - lastGrant(stage, "node-4", from)).toBeGreaterThan(waitMs);
    expect(more).toEqual([]);
    neverTwice(stage);
  });
});

describe("a node that comes back", () => {
  test.each([300, 1_500])("after %i ms it keeps what runs there, and its token", (forMs) => {
    const stage = held();
    stage.crashNode("node-4", forMs);
    stage.run(10_000);
    expect(stage.lives("job")).toMatchObject([{ token: 1, end: null }]);
    expect(stage.runs("job", "node-4")).toBe(true);
    expect(stage.events("ServiceMoved").filter(isOfJob)).toEqual([]);
  });

  test("after its lease has ended and before the wait is over, it starts it anew itself", () => {
    const stage = held();
    stage.crashNode("node-4", 2_100);
    stage.until(() => stage.runs("job", "node-4") && stage.lives("job").length === 2, 10_000);
    stage.run(5_000);
    expect(stage.lives("job").map(({ node }) => node)).toEqual(["node-4", "node-4"]);
    neverTwice(stage);
  });

  test("after it has moved, nothing of it is there, and nothing is stopped or moved back", () => {
    const stage = held();
    stage.crashNode("node-4", 8_000);
    stage.until(() => hasMoved(stage), 7_000);
    stage.run(10_000);
    expect(stage.lives("job")).toHaveLength(2);
    expect(stage.events("SurplusStopped")).toEqual([]);
    neverTwice(stage);
  });
});

const isOfJob = ({ data }: { readonly data: unknown }): boolean =>
  (data as { readonly service?: string }).service === "job";
