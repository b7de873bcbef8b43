import type { Stage } from "@halon/sim";
import { describe, expect, test } from "vitest";
import { ready, running } from "./running.ts";
import { far, leaderOf, station, takenOver, tell, told, upTo } from "./station.ts";

const slow = { readyUs: 20_000, stopUs: 10_000, answerUs: 800_000, memoryMb: 20 };
const bound = { placement: { type: "node", node: far }, onNodeLoss: "wait" } as const;

/** A station in which web runs on the node that cannot decide. */
function served(web: NonNullable<Parameters<typeof station>[0]>["services"] = {}): Stage {
  const stage = station({ services: { web: bound, ...web } });
  stage.deploy("web");
  stage.until(() => stage.runs("web", far));
  return stage;
}

describe("what was asked for has an end, though", () => {
  test("the node that was to answer is lost", () => {
    const stage = served({ web: { ...bound, script: slow } });
    const asked = stage.check("web");
    stage.until(() => stage.taken("CheckService").length === 1);
    stage.crashNode(far);
    stage.until(() => stage.outcome(asked) !== false, 5_000);
    expect(stage.outcome(asked)).toBe(`${far} is down: the other side has gone`);
  });

  test("a stop overtakes a start: that has failed, and the stop is done", () => {
    const script = { readyUs: 2_000_000, stopUs: 10_000, answerUs: 1_000, memoryMb: 20 };
    const stage = running({ services: { web: { script } } });
    const first = stage.stop("web");
    stage.until(() => stage.outcome(first) === true);
    const started = stage.start("web");
    stage.until(() => stage.processes("web").length === 1);
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    expect(stage.outcome(started)).toBe("a later request stopped web@node-1");
    expect(stage.processes("web")).toEqual([]);
  });

  test("a start overtakes a stop: the stop is done when what ran has ended, and the other runs", () => {
    const script = { readyUs: 20_000, stopUs: 1_000_000, answerUs: 1_000, memoryMb: 20 };
    const stage = running({ services: { web: { script } } });
    const stopped = stage.stop("web");
    stage.until(() => stage.taken("StopService").length === 1);
    const started = stage.start("web");
    stage.until(() => stage.outcome(started) === true);
    expect(stage.outcome(stopped)).toBe(true);
    expect(stage.lives("web").map(({ end }) => end)).toEqual(["asked", null]);
  });

  test("the node of a restart is lost before it stops anything: what runs on there is named", () => {
    const stage = served();
    const join = stage.cut(far);
    const restarted = stage.restart("web");
    stage.until(() => stage.fired("node-lost").length === 1);
    join();
    stage.until(() => stage.outcome(restarted) !== false);
    expect(stage.outcome(restarted)).toBe(
      `${far} was lost before web@node-4#1 was stopped; it runs on`,
    );
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("a start makes a stop void on a node that was away", () => {
    const stage = served();
    const join = stage.cut(far);
    const stopped = stage.stop("web");
    stage.until(() => stage.fired("node-lost").length === 1);
    stage.start("web");
    stage.run(500);
    join();
    stage.until(() => stage.outcome(stopped) !== false);
    expect(stage.outcome(stopped)).toBe("a later request keeps web@node-4#1 running");
    expect(stage.lives("web")).toHaveLength(1);
  });
});

describe("a node", () => {
  test("that leaves while its connections close stays gone: it does not join once more", () => {
    const stage = served();
    stage.stopNode(far);
    stage.until(() => stage.fired("node-left").length === 1);
    const joined = stage.fired("node-joined").length;
    stage.resetLinks(far);
    stage.run(5_000);
    expect(stage.fired("node-joined")).toHaveLength(joined);
    expect(stage.node(far)?.state).toBe("down");
    expect(stage.events("NodeTransient")).toEqual([]);
  });

  test("whose leaving became no record is watched again: when it ends, it is lost", () => {
    const stage = served();
    stage.emit(far, "NodeLeft", { node: far, incarnation: 0 });
    stage.run(3_000);
    expect(stage.node(far)?.state).toBe("up");
    stage.loseMachine(far);
    stage.until(() => stage.fired("node-lost").length === 1, 5_000);
    expect(stage.node(far)?.state).toBe("down");
  });

  test("that was cut off with more to tell than it may keep joins all the same, and tells what it kept", () => {
    const stage = served();
    const join = stage.cut(far);
    stage.until(() => stage.fired("node-lost").length === 1);
    tell(stage, ...upTo(20_050));
    join();
    stage.until(() => stage.node(far)?.state === "up" && stage.runs("web", far), 60_000);
    expect(told(stage).slice(0, 100)).toEqual(upTo(100));
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("that was taken out is watched no more: when it ends, it is no loss", () => {
    const stage = station();
    const drained = stage.drain(far);
    stage.until(() => stage.outcome(drained) === true);
    const removed = stage.decommission(far);
    stage.until(() => stage.outcome(removed) === true);
    stage.loseMachine(far);
    stage.run(15_000);
    expect(stage.observed(far)).toEqual([]);
    expect(stage.fired("node-lost")).toEqual([]);
  });

  test("that stood still while it led serves the next leader as soon as it goes on", () => {
    const stage = station({ services: { web: { placement: { type: "every" } } } });
    stage.deploy("web");
    stage.until(() => stage.runsOn("web").length === 4);
    stage.run(2_000);
    const [old, epoch] = [leaderOf(stage), stage.epoch()];
    stage.pauseNode(old, 4_000);
    takenOver(stage, epoch);
    stage.until(() => stage.node(old)?.state === "down");
    stage.until(() => stage.node(old)?.state === "up" && stage.runs("web", old), 5_000);
    expect(stage.leader()).not.toBe(old);
    expect(stage.lives("web")).toHaveLength(4);
  });
});

describe("a start that comes again", () => {
  test("begins nothing when the node had adopted the instance, and its end was told meanwhile", () => {
    const stage = ready({ services: { web: { script: slow } } });
    stage.deploy("web");
    stage.until(() => stage.processes("web").length === 1);
    // Before its start is answered in the log.
    stage.crashNode("node-1", 100);
    stage.run(101);
    stage.crashService("web");
    stage.until(() => stage.runs("web"));
    stage.run(5_000);
    expect(stage.lives("web").map(({ end }) => end)).toEqual(["crashed", null]);
    expect(stage.instances("web").map(({ id }) => id)).toEqual(["web@node-1#2"]);
  });
});

describe("exclusive services of one node", () => {
  test("whose leases end together are placed anew by one decision for all", () => {
    const job = { exclusive: true, prefer: [far] } as const;
    const stage = station({ satellites: 2, services: { one: job, two: job, three: job } });
    stage.deploy("one", "two", "three");
    stage.until(() => ["one", "two", "three"].every((service) => stage.runs(service, far)));
    stage.run(3_000);
    stage.crashNode(far);
    stage.run(10_000);
    const [ended, ...more] = new Set(stage.fired("lease-ended").map(({ index }) => index));
    expect([stage.fired("lease-ended").length, more]).toEqual([3, []]);
    const after = stage
      .fired()
      .filter(({ index, commands }) => index >= Number(ended) && commands.length > 0);
    expect(after).toMatchObject([
      { rule: "node-loss-settled", commands: ["StartService", "StartService", "StartService"] },
    ]);
  });
});

describe("the log", () => {
  test("gets two records for a recovery: the failure, and that it runs", () => {
    const stage = running({ services: { web: {} } });
    stage.run(20_000);
    const { index } = stage.committed;
    stage.crashService("web");
    stage.until(() => stage.fired("restart-failed").length === 1);
    stage.run(20_000);
    expect(stage.runs("web")).toBe(true);
    expect(stage.committed.index).toBe(index + 2);
  });

  test.each(["worker", "process"] as const)("keeps no old configuration of a %s", (kind) => {
    const stage = running({ services: { web: { kind } } });
    for (const _ of upTo(10)) {
      const configured = stage.configure("web");
      stage.until(() => stage.outcome(configured) === true);
    }
    stage.run(20_000);
    expect(stage.graph.list("Configuration").length).toBeLessThanOrEqual(2);
  });
});

describe("a check of a part of Halon", () => {
  test("that ends before it answers has failed", () => {
    const stage = station();
    const standby = ["node-1", "node-2", "node-3"].find((name) => name !== leaderOf(stage)) ?? "";
    stage.run(1_000);
    const join = stage.cut(standby);
    const asked = stage.request("ServiceCheckRequested", {
      service: "halon-coordinator",
      on: standby,
    });
    stage.until(() => stage.fired("check-requested").length === 1);
    stage.crashCoordinator(standby);
    stage.run(300);
    join();
    stage.until(() => stage.outcome(asked) !== false);
    expect(stage.outcome(asked)).toContain("ended before it answered");
  });
});
