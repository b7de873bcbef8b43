import type { Asked, Stage } from "@halon/sim";
import { describe, expect, test } from "vitest";
import { onlyProcess } from "./running.ts";
import { far, leaderOf, station, takenOver, tell, told, upTo } from "./station.ts";

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

describe("what is under way when the coordinator ends", () => {
  const at = { placement: { type: "node", node: far } } as const;

  /** A stage in which web and api run, and the leader's node ends as soon as the request is decided. */
  function interrupted(ask: (stage: Stage) => Asked, rule: string): Stage {
    const stage = station({ services: { web: at, api: at } });
    stage.deploy("web", "api");
    stage.until(() => stage.runs("web") && stage.runs("api"));
    const before = stage.fired(rule).length;
    const asked = ask(stage);
    stage.until(() => stage.fired(rule).length > before);
    stage.crashNode(leaderOf(stage), 1_500);
    stage.until(() => stage.outcome(asked) === true);
    stage.run(5_000);
    expect(stage.fired(rule)).toHaveLength(before + 1);
    expect(stage.lives("api")).toHaveLength(1);
    return stage;
  }

  function ends(stage: Stage): readonly unknown[] {
    return stage.lives("web").map(({ end }) => end);
  }

  test("a stop ends with the service stopped, once", () => {
    const stage = interrupted((now) => now.stop("web"), "stop-requested");
    expect(ends(stage)).toEqual(["asked"]);
    expect(stage.slot("web", far)?.halted).toBe(true);
  });

  test("a restart ends with one more start", () => {
    const stage = interrupted((now) => now.restart("web"), "restart-requested");
    expect(ends(stage)).toEqual(["asked", null]);
    expect(stage.slot("web", far)?.restarts ?? 0).toBe(0);
  });

  test("a configuration is given once", () => {
    const stage = interrupted((now) => now.configure("web"), "configuration-requested");
    expect(ends(stage)).toEqual(["asked", null]);
    expect(onlyProcess(stage, "web").config.version).toBe(2);
  });

  test("new code is started once", () => {
    const stage = interrupted((now) => now.upgrade("web"), "cluster-applied");
    expect(ends(stage)).toEqual(["asked", null]);
    expect(stage.instances("web")).toMatchObject([{ version: "1.2.0" }]);
  });

  test("what is removed is gone", () => {
    const stage = interrupted((now) => now.deployOnly("api"), "cluster-applied");
    expect(ends(stage)).toEqual(["asked"]);
    expect(stage.instances("web")).toEqual([]);
  });

  test("a configuration that does not work is taken back by the next one, after as many tries", () => {
    const stage = station({ services: { web: at } });
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const configured = stage.configure("web", { bad: true });
    stage.until(() => stage.fired("service-could-not-start").length === 2);
    stage.crashNode(leaderOf(stage), 1_500);
    stage.until(() => stage.runs("web"));
    expect(stage.fired("service-could-not-start")).toHaveLength(3);
    expect(stage.outcome(configured)).toContain("was taken back");
  });

  test("a trouble is answered in its time by the next one", () => {
    const stage = station({ services: { web: at } });
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    stage.trouble("web");
    stage.until(() => stage.fired("service-trouble").length === 1);
    stage.crashNode(leaderOf(stage), 1_500);
    stage.until(() => stage.fired("trouble-due").length === 1);
    stage.until(() => stage.runs("web") && stage.lives("web").length === 2);
    expect(stage.events("ServiceFailed")).toMatchObject([{ data: { cause: "trouble" } }]);
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

  test("for a while in which it stands still decides what waited, once, however often it was sent", () => {
    const stage = station();
    stage.hangCoordinator(leaderOf(stage), 5_000);
    tell(stage, 1, 2);
    stage.always(() => told(stage).length === 0, 4_500);
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

describe("a split", () => {
  /** Cuts these nodes off from all others, but not from each other. */
  function apart(stage: Stage, names: readonly string[], all: readonly string[]): () => void {
    const others = all.filter((name) => !names.includes(name));
    const joins = names.flatMap((one) => others.map((other) => stage.cutBetween(one, other)));
    return () => {
      for (const join of joins) join();
    };
  }

  /** Five nodes that can decide, and those of them that do not. */
  function five(): { readonly stage: Stage; readonly all: string[]; readonly standbys: string[] } {
    const stage = station({ tracking: 5, satellites: 0 });
    const all = upTo(5).map((n) => `node-${n}`);
    return { stage, all, standbys: all.filter((name) => name !== stage.leader()) };
  }

  test("with the leader among the fewer moves it, and the old one decides nothing more", () => {
    const { stage, all, standbys } = five();
    const [one = ""] = standbys;
    const old = { name: leaderOf(stage), epoch: stage.epoch() };
    const join = apart(stage, [old.name, one], all);
    takenOver(stage, old.epoch);
    const sinceMs = stage.nowMs;
    expect(standbys.slice(1)).toContain(stage.leader());
    stage.run(5_000);
    join();
    stage.run(5_000);
    expect(
      stage.fired().filter((fired) => fired.epoch === old.epoch && fired.atMs > sinceMs),
    ).toEqual([]);
    stage.until(() => new Set(all.map((name) => stage.knownAt(name))).size === 1);
  });

  test("with the leader among the more leaves it where it is", () => {
    const { stage, all, standbys } = five();
    const epoch = stage.epoch();
    const join = apart(stage, standbys.slice(0, 2), all);
    stage.run(5_000);
    expect(stage.epoch()).toBe(epoch);
    join();
    stage.run(5_000);
    expect(stage.takeovers()).toHaveLength(1);
  });

  test("of one node from the leader alone changes no leader", () => {
    const stage = station();
    const standby = ["node-1", "node-2", "node-3"].find((name) => name !== stage.leader()) ?? "";
    const join = stage.cutBetween(leaderOf(stage), standby);
    stage.run(5_000);
    join();
    stage.run(5_000);
    expect(stage.takeovers()).toHaveLength(1);
  });
});

describe("a cluster that was stopped as a whole", () => {
  test("has all that it had when it starts again, and the same processes", () => {
    const stage = station({ services: { web: { placement: { type: "every" } } } });
    stage.deploy("web");
    stage.until(() => stage.runsOn("web").length === 4);
    const pids = stage.processes("web").map(({ pid }) => pid);
    const epoch = stage.epoch();
    for (const name of ["node-1", "node-2", "node-3", far]) stage.crashNode(name, 1_500);
    takenOver(stage, epoch);
    stage.until(() => stage.runsOn("web").length === 4);
    expect(stage.processes("web").map(({ pid }) => pid)).toEqual(pids);
    expect(stage.fired("cluster-applied")).toHaveLength(1);
    expect(stage.taken("StartService").filter(({ verdict }) => verdict === "begin")).toHaveLength(
      4,
    );
  });

  test("has what a record says that was decided in its last moment", () => {
    const stage = station({ services: { web: { placement: { type: "node", node: far } } } });
    stage.deploy("web");
    stage.until(() => stage.fired("cluster-applied").length === 1);
    for (const name of ["node-1", "node-2", "node-3"]) stage.crashNode(name, 1_000);
    stage.until(() => stage.runs("web", far));
    expect(stage.fired("cluster-applied")).toHaveLength(1);
    expect(stage.lives("web")).toHaveLength(1);
  });
});
