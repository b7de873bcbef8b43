import { describe, expect, test } from "vitest";
import { far, leaderOf, station, tell, told, upTo } from "./station.ts";

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

describe("what cannot be done", () => {
  test("has failed after two minutes, with what it waits for", () => {
    const at = { placement: { type: "node", node: far } } as const;
    const stage = station({ services: { web: { ...at, onNodeLoss: "wait" } } });
    stage.deploy("web");
    stage.until(() => stage.runs("web", far));
    stage.loseMachine(far);
    stage.until(() => stage.node(far)?.state === "down");
    const restarted = stage.restart("web");
    stage.run(119_000);
    expect(stage.outcome(restarted)).toBe(false);
    stage.until(() => stage.outcome(restarted) !== false, 2_000);
    expect(stage.outcome(restarted)).toContain("timed out waiting for web@node-4#2");
  });

  test("and is wrong in itself is refused at once, and decides nothing", () => {
    const stage = station({ services: { web: {} } });
    const asked = stage.request("ServiceRestartRequested", { service: "nothing" });
    stage.until(() => stage.outcome(asked) !== false, 1_000);
    expect(stage.outcome(asked)).toBe("nothing is not wanted on any node");
    expect(stage.taken()).toEqual([]);
  });

  test("by anybody is refused: no part of Halon is stopped by a request", () => {
    const stage = station();
    const asked = stage.request("ServiceStopRequested", { service: "halon-coordinator" });
    stage.until(() => stage.outcome(asked) !== false, 1_000);
    expect(stage.outcome(asked)).toContain("halon-coordinator");
    expect(stage.taken()).toEqual([]);
  });
});

describe("what coordinators know", () => {
  test("is the same on every node, by snapshot and records or by all records", () => {
    const stage = station({ services: { web: { placement: { type: "every" } } } });
    stage.deploy("web");
    stage.until(() => stage.runsOn("web").length === 4);
    const [one = "", other = ""] = ["node-1", "node-2", "node-3"].filter(
      (name) => name !== stage.leader(),
    );
    stage.crashNode(one, 8_000);
    for (const report of upTo(400)) {
      tell(stage, report);
      stage.run(10);
    }
    stage.until(() => stage.node(one)?.state === "up" && stage.isUp(one));
    stage.crashNode(other, 500);
    stage.run(1_000);
    stage.until(() => stage.node(other)?.state === "up");
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
      for (const failures of upTo(5)) {
        stage.until(() => stage.runs("web"));
        stage.crashService("web");
        stage.until(() => stage.fired("restart-failed").length === failures);
        if (jumps && failures === 3) stage.jumpWall(leaderOf(stage), 3 * 86_400_000);
      }
      stage.run(20_000);
      expect(stage.events("ServiceBroken")).toHaveLength(1);
      return stage.fired().map(({ rule, why, commands, atMs }) => ({ rule, why, commands, atMs }));
    };
    expect(play(true)).toEqual(play(false));
  });
});
