import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

const far = "node-4";

/** Three nodes that can decide and one that cannot, which tells of what happens. */
function station(options: StageOptions = {}): Stage {
  const stage = createStage({ satellites: 1, ...options });
  stage.ready();
  return stage;
}

/** The node tells the next of a row of events, each of which must be decided once. */
function tell(stage: Stage, ...reports: readonly number[]): void {
  const service = { node: far, service: "web", instance: "web@node-4#1" };
  for (const report of reports) stage.emit(far, "ServiceReported", { ...service, report });
}

/** What was decided of that row, in the order of the log. */
function told(stage: Stage): readonly number[] {
  return stage
    .fired("service-reported")
    .map(({ event }) => (event.data as { readonly report: number }).report);
}

function upTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, before) => before + 1);
}

function leaderOf(stage: Stage): string {
  const leader = stage.leader();
  if (leader === null) throw new Error("nobody decides");
  return leader;
}

/** Until another epoch than this one decides. */
function takenOver(stage: Stage, epoch: number): void {
  stage.until(() => stage.epoch() > epoch);
}

describe("an event", () => {
  test("is decided once when the coordinator ends after its record is there and before the answer", () => {
    const stage = station();
    tell(stage, 1);
    stage.until(() => told(stage).length === 1);
    stage.crashCoordinator();
    tell(stage, 2);
    stage.until(() => told(stage).length === 2);
    stage.run(5_000);
    expect(told(stage)).toEqual([1, 2]);
  });

  test("is decided once when the coordinator ends before it has seen it", () => {
    const stage = station();
    stage.crashCoordinator();
    tell(stage, 1);
    stage.until(() => told(stage).length === 1);
    stage.run(5_000);
    expect(told(stage)).toEqual([1]);
  });

  test("is decided once when the way is closed before the answer comes", () => {
    const stage = station();
    tell(stage, 1);
    stage.until(() => told(stage).length === 1);
    stage.resetLinks(far);
    tell(stage, 2);
    stage.until(() => told(stage).length === 2);
    stage.run(5_000);
    expect(told(stage)).toEqual([1, 2]);
  });

  test("that was lost with its connection is sent again", () => {
    const stage = station();
    const join = stage.cut(far);
    tell(stage, 1, 2, 3);
    stage.resetLinks(far);
    stage.run(300);
    expect(told(stage)).toEqual([]);
    join();
    stage.until(() => told(stage).length === 3);
    expect(told(stage)).toEqual([1, 2, 3]);
  });

  test("comes in its place among others when connections close all the time", () => {
    const stage = station();
    for (const report of upTo(60)) {
      tell(stage, report);
      if (report % 6 === 0) stage.resetLinks(far);
      stage.run(150);
    }
    stage.until(() => told(stage).length === 60);
    expect(told(stage)).toEqual(upTo(60));
  });

  test("of a long row keeps its place, over a takeover in the middle of the row", () => {
    const stage = station();
    tell(stage, ...upTo(700));
    stage.until(() => told(stage).length > 100);
    stage.crashNode(leaderOf(stage), 2_000);
    tell(stage, ...upTo(900).slice(700));
    stage.until(() => told(stage).length === 900);
    expect(told(stage)).toEqual(upTo(900));
  });

  test("of a type that nobody knows is kept for people, and what comes after it is decided", () => {
    const stage = station();
    stage.emit(far, "MoonLanded", { crew: 2 });
    tell(stage, 1);
    stage.until(() => told(stage).length === 1);
    expect(stage.committed.deadLetters).toMatchObject([
      {
        event: { type: "MoonLanded", source: `node/${far}` },
        reason: "no part of Halon declares the event type MoonLanded",
      },
    ]);
  });
});

describe("while nobody decides", () => {
  test("what nodes tell waits, and is decided in order when somebody does", () => {
    const stage = station();
    const others = ["node-1", "node-2", "node-3"].filter((name) => name !== stage.leader());
    for (const name of others) stage.crashNode(name, 6_000);
    stage.until(() => stage.leader() === null);
    const before = stage.committed.index;
    for (const report of upTo(10)) tell(stage, report);
    stage.always(() => stage.committed.index === before, 2_500);
    stage.until(() => told(stage).length === 10);
    expect(told(stage)).toEqual(upTo(10));
  });

  test("what people ask for waits, and is done once", () => {
    const stage = station({ services: { web: {} } });
    const others = ["node-1", "node-2", "node-3"].filter((name) => name !== stage.leader());
    for (const name of others) stage.crashNode(name, 5_000);
    stage.until(() => stage.leader() === null);
    const deployed = stage.deploy("web");
    stage.always(() => stage.outcome(deployed) === false, 2_000);
    stage.until(() => stage.outcome(deployed) === true);
    expect(stage.fired("cluster-applied")).toHaveLength(1);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("services run on, and a failure meanwhile is recovered afterwards by one decision", () => {
    const at = { placement: { type: "node", node: far } } as const;
    const stage = station({ services: { web: at } });
    stage.deploy("web");
    stage.until(() => stage.runs("web", far));
    const others = ["node-1", "node-2", "node-3"].filter((name) => name !== stage.leader());
    for (const name of others) stage.crashNode(name, 4_000);
    stage.until(() => stage.leader() === null);
    stage.crashService("web");
    stage.always(() => stage.processes("web").length === 0, 1_500);
    stage.until(() => stage.runs("web", far));
    expect(stage.fired("restart-failed")).toHaveLength(1);
    expect(stage.lives("web")).toHaveLength(2);
  });
});

describe("a takeover", () => {
  test("has a higher epoch, and goes on after the last record", () => {
    const stage = station();
    const { epoch, index } = { epoch: stage.epoch(), index: stage.committed.index };
    stage.crashNode(leaderOf(stage));
    takenOver(stage, epoch);
    expect(stage.takeovers().at(-1)).toMatchObject({ index });
    tell(stage, 1);
    stage.until(() => told(stage).length === 1);
    expect(stage.fired("service-reported")[0]?.epoch).toBe(stage.epoch());
  });

  test("ten times in a row loses nothing and decides nothing twice", () => {
    const stage = station();
    for (const round of upTo(10)) {
      tell(stage, ...upTo(5).map((n) => (round - 1) * 5 + n));
      const epoch = stage.epoch();
      if (round % 2 === 0) stage.crashNode(leaderOf(stage), 700);
      else stage.crashCoordinator();
      takenOver(stage, epoch);
    }
    stage.until(() => told(stage).length === 50);
    stage.run(3_000);
    expect(told(stage)).toEqual(upTo(50));
    expect(stage.takeovers()).toHaveLength(11);
  });

  test("sends again what was not answered, under its own epoch, and the node begins it once", () => {
    const script = { readyUs: 3_000_000, stopUs: 10_000, answerUs: 1_000, memoryMb: 20 };
    const at = { placement: { type: "node", node: far } } as const;
    const stage = station({ services: { web: { ...at, script } } });
    stage.deploy("web");
    stage.until(() => stage.processes("web").length === 1);
    const before = stage.epoch();
    stage.crashCoordinator();
    takenOver(stage, before);
    stage.until(() => stage.runs("web", far));
    const [first, ...again] = stage.taken("StartService");
    expect(first).toMatchObject({ verdict: "begin", epoch: before });
    expect(again.map(({ id, verdict }) => `${id} ${verdict}`)).toContain(`${first?.id} known`);
    expect(Math.max(...again.map(({ epoch }) => epoch))).toBe(stage.epoch());
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("starts what was decided and never sent", () => {
    const at = { placement: { type: "node", node: far } } as const;
    const stage = station({ services: { web: at } });
    const deployed = stage.deploy("web");
    stage.until(() => stage.fired("cluster-applied").length === 1);
    stage.crashNode(leaderOf(stage));
    stage.until(() => stage.outcome(deployed) === true);
    expect(stage.fired("cluster-applied")).toHaveLength(1);
    expect(stage.taken("StartService")).toMatchObject([
      { verdict: "begin", epoch: stage.epoch(), instance: "web@node-4#1" },
    ]);
  });

  test("from one that sleeps leaves it nothing to say when it wakes", () => {
    const at = { placement: { type: "node", node: far } } as const;
    const stage = station({ services: { web: at } });
    const asleep = leaderOf(stage);
    const epoch = stage.epoch();
    stage.deploy("web");
    stage.until(() => stage.fired("cluster-applied").length === 1);
    stage.pauseNode(asleep, 4_000);
    takenOver(stage, epoch);
    const sinceMs = stage.nowMs;
    stage.until(() => stage.runs("web", far));
    stage.run(6_000);
    const ofTheOld = stage.taken().filter((one) => one.epoch === epoch && one.atMs > sinceMs);
    expect(ofTheOld.filter(({ verdict }) => verdict === "begin")).toEqual([]);
    expect(stage.fired().filter((one) => one.epoch === epoch && one.atMs > sinceMs)).toEqual([]);
    expect(stage.leader()).not.toBe(asleep);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("keeps the wait of a restart: it ends not early, and late by the outage at most", () => {
    const at = { placement: { type: "node", node: far } } as const;
    const restart = {
      resetAfterMs: 60_000,
      backoffMs: 4_000,
      backoffMaxMs: 30_000,
      maxFailures: 5,
      windowMs: 60_000,
      configTries: 3,
    };
    const stage = station({ services: { web: { ...at, restart } } });
    stage.deploy("web");
    stage.until(() => stage.runs("web", far));
    stage.crashService("web");
    stage.until(() => stage.fired("restart-failed").length === 1);
    const failedMs = stage.nowMs;
    stage.crashNode(leaderOf(stage));
    stage.until(() => stage.leader() !== null);
    const outageMs = stage.nowMs - failedMs;
    stage.until(() => stage.fired("restart-due").length === 1);
    const waitMs = stage.nowMs - failedMs;
    expect(waitMs).toBeGreaterThanOrEqual(3_000);
    expect(waitMs).toBeLessThanOrEqual(5_000 + outageMs + 50);
    stage.until(() => stage.runs("web", far));
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("forgets no failures: a service that fails before and after it is broken as by one coordinator", () => {
    const at = { placement: { type: "node", node: far } } as const;
    const stage = station({ services: { web: at } });
    stage.deploy("web");
    for (const failures of upTo(5)) {
      stage.until(() => stage.runs("web", far));
      stage.crashService("web");
      stage.until(() => stage.fired("restart-failed").length === failures);
      if (failures === 3) stage.crashCoordinator();
    }
    expect(stage.slot("web", far)?.broken).toContain("failed 5 times");
  });
});

describe("a coordinator that ends alone", () => {
  test("is started again, and its node goes on as if nothing had been", () => {
    const stage = station({ services: { web: { placement: { type: "every" } } } });
    stage.deploy("web");
    stage.until(() => stage.runsOn("web").length === 4);
    const pids = stage.processes("web").map(({ pid }) => pid);
    const epoch = stage.epoch();
    stage.crashCoordinator();
    takenOver(stage, epoch);
    stage.run(5_000);
    expect(stage.processes("web").map(({ pid }) => pid)).toEqual(pids);
    expect(stage.fired("node-lost")).toEqual([]);
    expect(stage.taken("StopService")).toEqual([]);
  });

  test("twice within a minute hands over to another node", () => {
    const stage = station();
    const first = leaderOf(stage);
    for (const _ of upTo(2)) {
      const epoch = stage.epoch();
      stage.crashCoordinator(first);
      takenOver(stage, epoch);
      if (stage.leader() !== first) break;
    }
    stage.until(() => stage.leader() !== null && stage.leader() !== first, 5_000);
    tell(stage, 1);
    stage.until(() => told(stage).length === 1);
  });

  test("on a node that does not decide is noticed by nobody else", () => {
    const stage = station();
    const epoch = stage.epoch();
    const standby = ["node-1", "node-2", "node-3"].find((name) => name !== stage.leader()) ?? "";
    stage.crashCoordinator(standby);
    tell(stage, 1);
    stage.until(() => told(stage).length === 1);
    stage.until(() => stage.knownAt(standby) !== null);
    stage.run(2_000);
    expect(stage.epoch()).toBe(epoch);
    expect(stage.knownAt(standby)).toBe(stage.knownAt(leaderOf(stage)));
  });

  test("for a while in which it stands still decides what waited, once", () => {
    const stage = station();
    stage.hangCoordinator(leaderOf(stage), 1_500);
    tell(stage, 1, 2);
    stage.always(() => told(stage).length === 0, 1_000);
    stage.until(() => told(stage).length === 2);
    stage.run(3_000);
    expect(told(stage)).toEqual([1, 2]);
  });
});

describe("a record whose end its writer does not learn", () => {
  /** The leader decides on a deployment while the way is cut, and loses the lead over it. */
  function loses(shape: "inbound" | "outbound"): { readonly stage: Stage; readonly epoch: number } {
    const stage = station({ services: { web: {} } });
    const epoch = stage.epoch();
    const join = stage.cut(leaderOf(stage), shape);
    const deployed = stage.deploy("web");
    takenOver(stage, epoch);
    join();
    stage.until(() => stage.outcome(deployed) === true);
    stage.run(2_000);
    expect(deployed.tries).toBeGreaterThan(1);
    return { stage, epoch };
  }

  test("and that others have takes effect once, as it was decided", () => {
    const { stage, epoch } = loses("inbound");
    expect(stage.fired("cluster-applied")).toMatchObject([{ epoch }]);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("and that nobody else has takes effect once, as another one decides it", () => {
    const { stage, epoch } = loses("outbound");
    const [applied, ...more] = stage.fired("cluster-applied");
    expect(more).toEqual([]);
    expect(applied?.epoch).toBeGreaterThan(epoch);
    expect(stage.lives("web")).toHaveLength(1);
  });
});

describe("a request", () => {
  test("that is sent twice under one id is done once", () => {
    const stage = station({ services: { web: {} } });
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const restarted = stage.restart("web");
    stage.until(() => stage.outcome(restarted) === true);
    stage.askAgain(restarted);
    stage.run(2_000);
    expect(stage.fired("restart-requested")).toHaveLength(1);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("that is sent again to the next leader is done once", () => {
    const stage = station({ services: { web: {} } });
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const restarted = stage.restart("web");
    stage.until(() => stage.outcome(restarted) === true);
    stage.crashNode(leaderOf(stage), 1_000);
    stage.until(() => stage.leader() !== null);
    stage.askAgain(restarted);
    stage.run(3_000);
    expect(stage.fired("restart-requested")).toHaveLength(1);
  });
});

describe("what coordinators know", () => {
  test("is the same on every node, by snapshot and records or by all records", () => {
    const stage = station({ services: { web: { placement: { type: "every" } } } });
    stage.deploy("web");
    stage.until(() => stage.runsOn("web").length === 4);
    const behind = ["node-1", "node-2", "node-3"].find((name) => name !== stage.leader()) ?? "";
    stage.crashNode(behind, 8_000);
    for (const report of upTo(400)) {
      tell(stage, report);
      stage.run(10);
    }
    stage.until(() => stage.isUp(behind) && stage.node(behind)?.state === "up");
    stage.run(2_000);
    const known = ["node-1", "node-2", "node-3"].map((name) => stage.knownAt(name));
    expect(new Set(known).size).toBe(1);
    expect(stage.committed.index).toBeGreaterThan(300);
  });

  test("does not depend on what the time is: clocks that jump decide nothing", () => {
    const play = (jumps: boolean): readonly unknown[] => {
      const stage = station({ services: { web: {} } });
      if (jumps)
        for (const name of ["node-1", "node-2", "node-3"]) stage.jumpWall(name, -86_400_000);
      stage.deploy("web");
      stage.until(() => stage.runs("web"));
      stage.crashService("web");
      if (jumps) stage.jumpWall(leaderOf(stage), 3 * 86_400_000);
      stage.run(20_000);
      return stage.fired().map(({ rule, why, commands, atMs }) => ({ rule, why, commands, atMs }));
    };
    expect(play(true)).toEqual(play(false));
  });
});
