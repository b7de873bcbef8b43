import type { Stage } from "@halon/sim";
import { describe, expect, test } from "vitest";
import { onlyProcess, ready, running } from "./running.ts";

const on = "node-1";
const policy = {
  resetAfterMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 30_000,
  maxFailures: 5,
  windowMs: 60_000,
  configTries: 3,
};

/** Ends the service as often, each time as soon as it runs. */
function failOften(stage: Stage, service: string, times: number): void {
  for (let failed = stage.fired("restart-failed").length; times > 0; times -= 1) {
    stage.until(() => stage.runs(service, on));
    stage.crashService(service, on);
    failed += 1;
    stage.until(() => stage.fired("restart-failed").length === failed);
  }
}

/** Ms from each failure to the start that it led to. */
function waits(stage: Stage): readonly number[] {
  const due = stage.fired("restart-due");
  return stage
    .fired("restart-failed")
    .flatMap(({ atMs }, position) =>
      due[position] === undefined ? [] : due[position].atMs - atMs,
    );
}

/** When the failures were that count for the slot now. */
function counted(stage: Stage): unknown {
  return stage.committed.memories.get("builtin")?.get(`failures/web@${on}`) ?? [];
}

function isBroken(stage: Stage, service = "web"): boolean {
  return stage.slot(service, on)?.broken !== undefined;
}

describe("a failure", () => {
  test("is followed by one start after 100 ms, give or take a quarter", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 1);
    stage.until(() => stage.runs("web", on));
    const [wait] = waits(stage);
    expect(wait).toBeGreaterThanOrEqual(75);
    expect(wait).toBeLessThan(135);
    expect(stage.lives("web")).toHaveLength(2);
    expect(stage.slot("web", on)?.restarts).toBe(1);
  });

  test("soon after others doubles the wait, which never comes early", () => {
    const stage = running({ services: { web: { restart: { ...policy, maxFailures: 7 } } } });
    failOften(stage, "web", 6);
    stage.until(() => stage.runs("web", on));
    waits(stage).forEach((wait, before) => {
      expect(wait).toBeGreaterThanOrEqual(75 * 2 ** before);
      expect(wait).toBeLessThan(125 * 2 ** before + 20);
    });
    expect(waits(stage)).toHaveLength(6);
  });

  test("never waits longer than the policy's most", () => {
    const restart = { ...policy, maxFailures: 9, backoffMaxMs: 400 };
    const stage = running({ services: { web: { restart } } });
    failOften(stage, "web", 8);
    stage.until(() => stage.runs("web", on));
    expect(Math.max(...waits(stage))).toBeLessThan(420);
  });

  test("of what was well for long starts it at once and does not count", () => {
    const stage = running({ services: { web: {} } });
    for (let times = 0; times < 6; times += 1) {
      stage.run(10_100);
      failOften(stage, "web", 1);
      stage.until(() => stage.runs("web", on));
    }
    expect(stage.fired("restart-due")).toEqual([]);
    expect(stage.fired("restart-failed").map(({ commands }) => commands)).toEqual(
      Array.from({ length: 6 }, () => ["StartService"]),
    );
    expect(isBroken(stage)).toBe(false);
  });

  test("of what was not well all the time counts, however long it ran", () => {
    const stage = running({ services: { web: {} } });
    stage.run(500);
    stage.failChecks("web", 20_000);
    stage.run(15_000);
    failOften(stage, "web", 1);
    stage.until(() => stage.runs("web", on));
    expect(stage.fired("restart-due")).toHaveLength(1);
  });

  test("counts no more when the window has passed", () => {
    const restart = { ...policy, maxFailures: 3, windowMs: 5_000 };
    const stage = running({ services: { web: { restart } } });
    for (let times = 0; times < 3; times += 1) {
      failOften(stage, "web", 2);
      stage.until(() => stage.runs("web", on));
      stage.run(5_100);
    }
    expect(isBroken(stage)).toBe(false);
    expect(stage.fired("restart-due")).toHaveLength(6);
  });

  test("of one slot is not one of another", () => {
    const stage = ready({ satellites: 1, services: { web: { placement: { type: "every" } } } });
    stage.deploy("web");
    stage.until(() => stage.runsOn("web").length === 2);
    const there = stage.processes("web").find(({ slot }) => slot === 1)?.pid;
    failOften(stage, "web", 5);
    stage.until(() => isBroken(stage));
    expect(stage.slot("web", "node-2")?.broken).toBeUndefined();
    expect(stage.processes("web").map(({ pid }) => pid)).toEqual([there]);
  });

  test("that is an exit with code 0 and no word is one like others", () => {
    const stage = running({ services: { web: {} } });
    stage.crashService("web", on, 0);
    stage.until(() => stage.fired("restart-failed").length === 1);
    stage.until(() => stage.runs("web", on));
    expect(stage.events("ServiceFailed")).toMatchObject([
      { data: { cause: "exit", exit: { code: 0 } } },
    ]);
  });

  test("that the service announces has its code, and the policy is the same", () => {
    const stage = running({ services: { web: {} } });
    const problem = { type: "problem", code: "HAL_FAILED", reason: "no disk" } as const;
    stage.says("web", { ...problem, cause: "announced", failureCode: "disk" });
    stage.until(() => stage.fired("restart-due").length === 1);
    stage.until(() => stage.runs("web", on));
    expect(stage.events("ServiceFailed")).toMatchObject([
      { data: { cause: "announced", code: "disk", reason: "no disk" } },
    ]);
  });
});

describe("a service that fails too often", () => {
  test("is broken with the reason, is not started again, and says so once", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 5);
    stage.until(() => isBroken(stage));
    stage.always(() => stage.processes("web").length === 0, 60_000);
    expect(stage.slot("web", on)?.broken).toContain("failed 5 times within 60 s");
    expect(stage.events("ServiceBroken")).toHaveLength(1);
    expect(stage.instances("web")).toMatchObject([{ id: "web@node-1#5", state: "broken" }]);
    expect(stage.fired("restart-due")).toHaveLength(4);
  });

  test("before it ever started ends the deployment with that reason", () => {
    const stage = ready({ services: { web: {} } });
    stage.next("web", "failStart", 5);
    const deployed = stage.deploy("web");
    stage.until(() => stage.outcome(deployed) !== false);
    expect(stage.outcome(deployed)).toContain("web@node-1 is broken");
    expect(stage.fired("service-could-not-start")).toHaveLength(5);
    expect(stage.lives("web")).toHaveLength(5);
  });

  test("fails each time that it has become ready in the same way", () => {
    const stage = ready({ services: { web: {} } });
    stage.next("web", "flap", 5);
    stage.deploy("web");
    stage.until(() => isBroken(stage));
    expect(stage.fired("service-started")).toHaveLength(5);
    expect(stage.fired("restart-failed")).toHaveLength(5);
  });

  test("and could not start in between is counted in one row", () => {
    const stage = running({ services: { web: {} } });
    stage.next("web", "failStart", 2);
    failOften(stage, "web", 1);
    stage.until(() => stage.fired("service-could-not-start").length === 2);
    failOften(stage, "web", 2);
    stage.until(() => isBroken(stage));
    expect(stage.lives("web")).toHaveLength(5);
  });

  test("starts again when a person says so, with new tries", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 5);
    stage.until(() => isBroken(stage));
    const started = stage.start("web");
    stage.until(() => stage.outcome(started) === true);
    failOften(stage, "web", 4);
    stage.until(() => stage.runs("web", on));
    expect(isBroken(stage)).toBe(false);
    expect(waits(stage).slice(-4)[0]).toBeLessThan(135);
  });

  test("starts again with new code", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 5);
    stage.until(() => isBroken(stage));
    stage.upgrade("web");
    stage.until(() => stage.runs("web", on));
    expect(stage.instances("web")).toMatchObject([{ version: "1.2.0" }]);
  });

  test("starts again with a new configuration", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 5);
    stage.until(() => isBroken(stage));
    const configured = stage.configure("web");
    stage.until(() => stage.outcome(configured) === true);
    expect(onlyProcess(stage, "web").config.version).toBe(2);
  });

  test("does not start again because the same is deployed once more", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 5);
    stage.until(() => isBroken(stage));
    const deployed = stage.deploy("web");
    stage.until(() => stage.outcome(deployed) !== false);
    expect(stage.outcome(deployed)).toContain("is broken");
    stage.always(() => stage.processes("web").length === 0, 5_000);
  });

  test("stays so over a restart of its node", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 5);
    stage.until(() => isBroken(stage));
    stage.crashNode(on, 1_000);
    stage.until(() => stage.fired("node-inventory").length > 1);
    stage.always(() => stage.processes("web").length === 0, 10_000);
    expect(isBroken(stage)).toBe(true);
  });

  test("and is stopped by a person is stopped", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 5);
    stage.until(() => isBroken(stage));
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    expect(stage.slot("web", on)).toMatchObject({ halted: true });
    expect(isBroken(stage)).toBe(false);
    expect(stage.instances("web")).toMatchObject([{ state: "stopped" }]);
  });
});

describe("people and the wait", () => {
  test("a start that is asked for ends the wait", () => {
    const stage = running({ services: { web: { restart: { ...policy, backoffMs: 20_000 } } } });
    failOften(stage, "web", 1);
    const started = stage.start("web");
    stage.until(() => stage.outcome(started) === true, 2_000);
    stage.run(30_000);
    expect(stage.fired("restart-due")).toEqual([]);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("what is removed while it waits is not started", () => {
    const stage = running({ services: { api: {}, web: {} } });
    failOften(stage, "web", 1);
    stage.deployOnly("api");
    stage.until(() => stage.instances("web").length === 0);
    stage.always(() => stage.processes("web").length === 0, 5_000);
    expect(stage.fired("restart-due")).toEqual([]);
  });

  test("new code that comes during the wait is what starts, once", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 1);
    stage.upgrade("web");
    stage.until(() => stage.runs("web", on));
    stage.run(5_000);
    expect(stage.lives("web")).toHaveLength(2);
    expect(stage.instances("web")).toMatchObject([{ version: "1.2.0" }]);
  });

  test("a service that says that its work is done begins its count anew", () => {
    const stage = running({ services: { web: {} } });
    failOften(stage, "web", 4);
    stage.until(() => stage.runs("web", on));
    stage.exitService("web");
    expect(counted(stage)).toHaveLength(4);
    stage.until(() => stage.slot("web", on)?.halted === true);
    expect(counted(stage)).toEqual([]);
  });
});
