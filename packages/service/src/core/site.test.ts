import { describe, expect, test } from "vitest";
import { instanceOf, Stage, startOf } from "./testing.ts";

const types = (stage: Stage) => stage.told().map(({ type }) => type);
const brief = (stage: Stage) =>
  stage.effects.flatMap((effect) => {
    switch (effect.type) {
      case "spawn":
        return [`spawn ${effect.spawn.instance}`];
      case "emit":
        return [effect.event.type];
      case "ended":
      case "release":
      case "kill":
        return [`${effect.type} ${effect.instance}`];
      case "drained":
        return ["drained"];
      default:
        return [];
    }
  });

/** A stage on which web@node-1#1 runs. */
function running(): Stage {
  const stage = new Stage();
  stage.start(startOf(1), "1.0");
  stage.ready(1);
  stage.effects.length = 0;
  return stage;
}

describe("a name", () => {
  test("is given on in the turn of the exit, after the end was told", () => {
    const stage = running();
    stage.stop(1, "2.0");
    stage.start(startOf(2), "2.1");
    stage.exited(1);
    expect(brief(stage)).toEqual([
      "ServiceStopped",
      `ended ${instanceOf(1)}`,
      `spawn ${instanceOf(2)}`,
    ]);
  });

  test("is free again after a spawn that failed", () => {
    const stage = new Stage();
    stage.spawnFails = (instance) => (instance === instanceOf(1) ? "no such file" : undefined);
    stage.start(startOf(1), "1.0");
    stage.start(startOf(2), "1.1");
    stage.ready(2);
    expect(stage.told()).toMatchObject([
      { type: "ServiceCouldNotStart", data: { command: "1.0", reason: "no such file" } },
      { type: "ServiceStarted", data: { command: "1.1" } },
    ]);
  });

  test("is waited for by the newest only, whatever the order of the starts", () => {
    const stage = running();
    stage.stop(1);
    stage.start(startOf(3), "3.0");
    stage.start(startOf(2), "2.0");
    stage.start(startOf(4), "4.0");
    stage.exited(1);
    expect(stage.all("spawn").map(({ spawn }) => spawn.instance)).toEqual([instanceOf(4)]);
    expect(stage.told().flatMap(({ data }) => ("command" in data ? [data.command] : []))).toEqual([
      "2.0",
      "3.0",
    ]);
  });
});

describe("an answer to a check", () => {
  const asked = (stage: Stage) => {
    const { key } = stage.last("arm");
    stage.give((site, now) => site.due(key, now));
    return stage.last("askHealth").ref;
  };
  /** Answers a check three times in a row with no answer at all. */
  const hang = (stage: Stage, times: number) => {
    for (let time = 0; time < times; time += 1) {
      const ref = asked(stage);
      stage.now += 1_000;
      stage.give((site, now) => site.aliveAnswered(ref, { ok: true }, now));
      stage.give((site, now) => site.healthAnswered(ref, { type: "timedOut" }, now));
    }
  };

  test("that comes late for the third time ends the instance", () => {
    const stage = new Stage();
    stage.start(startOf(1));
    stage.ready(1);
    hang(stage, 2);
    expect(stage.all("kill")).toEqual([]);
    hang(stage, 1);
    expect(stage.all("kill")).toHaveLength(1);
  });

  test("of an earlier supervisor counts for nothing", () => {
    const stage = new Stage();
    stage.start(startOf(1));
    stage.ready(1);
    hang(stage, 2);
    const ref = asked(stage);
    stage.give((site, now) => site.supervise(() => true, now));
    stage.give((site, now) => site.healthAnswered(ref, { type: "timedOut" }, now));
    stage.give((site, now) => site.aliveAnswered(ref, { ok: false }, now));
    expect(stage.all("kill")).toEqual([]);
  });

  test("that comes twice, or to no question, is taken once", () => {
    const stage = new Stage();
    stage.start(startOf(1));
    stage.ready(1);
    const ref = asked(stage);
    const ill = { type: "answered", health: "fail" } as const;
    stage.give((site, now) => site.healthAnswered(ref, { type: "answered", health: "ok" }, now));
    stage.give((site, now) => site.healthAnswered(ref, ill, now));
    stage.give((site, now) => site.aliveAnswered(ref, { ok: true }, now));
    const before = stage.effects.length;
    stage.give((site, now) => site.aliveAnswered(ref, { ok: false }, now));
    stage.give((site, now) => site.healthAnswered(ref + 1, ill, now));
    stage.give((site) => site.statusAnswered(ref, { type: "report", report: 1, bytes: 1 }));
    stage.give((site) => site.reconfigureAnswered(ref, { type: "done" }));
    expect([stage.effects.length - before, types(stage)]).toEqual([0, ["ServiceStarted"]]);
  });

  test("that comes after the end of one that others doubt is told, and ends nothing", () => {
    const stage = running();
    const { service, instance } = startOf(1);
    const action = { type: "CheckService", service, instance, doubt: "node-2 says so" } as const;
    stage.give((site, now) => site.perform(action, "2.0", now));
    const { ref } = stage.last("askHealth");
    stage.exited(1);
    stage.start(startOf(2));
    stage.give((site, now) => site.healthAnswered(ref, { type: "notRunning" }, now));
    stage.give((site, now) => site.aliveAnswered(ref, { ok: false }, now));
    expect(stage.told().at(-1)).toMatchObject({ type: "ServiceChecked", data: { command: "2.0" } });
    expect(stage.all("kill")).toEqual([]);
  });
});

describe("a deadline", () => {
  test("that was disarmed and comes all the same changes nothing", () => {
    const stage = new Stage();
    stage.start(startOf(1), "1.0");
    const { key } = stage.last("arm");
    stage.ready(1);
    stage.now = 5_000;
    stage.give((site, now) => site.due(key, now));
    expect([stage.all("disarm")[0]?.key, stage.all("kill")]).toEqual([key, []]);
  });

  test("of a lease that comes early, or after a renewal, ends nothing", () => {
    const stage = new Stage();
    const lease = { token: 1, leaseMs: 2_000 };
    stage.give((site, now) => site.renewed(instanceOf(1), 2_000, now));
    stage.start({ ...startOf(1), lease });
    const { key } = stage.all("arm").find(({ inMs }) => inMs === 2_000) ?? { key: "" };
    stage.now = 1_999;
    stage.give((site, now) => site.due(key, now));
    expect(stage.last("arm")).toEqual({ type: "arm", key, inMs: 1 });
    stage.give((site, now) => site.renewed(instanceOf(1), 3_999, now));
    stage.now = 2_000;
    stage.give((site, now) => site.due(key, now));
    expect(stage.all("kill")).toEqual([]);
    stage.now = 3_999;
    stage.give((site, now) => site.due(key, now));
    expect(stage.all("kill")).toHaveLength(1);
  });
});

describe("a shutdown", () => {
  /** web and db run, and the shutdown has asked both whether they live on. */
  function closing(): Stage {
    const stage = running();
    stage.start(startOf(1, { service: "db", name: "db", serviceName: "db" }));
    stage.effects.length = 0;
    stage.give((site, now) => site.shutdown(true, now));
    return stage;
  }
  const released = (stage: Stage, instance: string, livesOn: boolean) =>
    stage.give((site, now) => site.released(instance, livesOn, now));

  test("is over when all that can live on was let go of, and the rest has exited", () => {
    const stage = closing();
    released(stage, instanceOf(1, "db"), true);
    released(stage, instanceOf(1), false);
    expect(brief(stage)).not.toContain("drained");
    stage.exited(1);
    expect(brief(stage)).toEqual([
      `release ${instanceOf(1)}`,
      `release ${instanceOf(1, "db")}`,
      `ended ${instanceOf(1, "db")}`,
      "ServiceStopped",
      `ended ${instanceOf(1)}`,
      "drained",
    ]);
  });

  test("is over at its deadline, which counts from the slowest stop", () => {
    const stage = closing();
    released(stage, instanceOf(1), false);
    expect(stage.all("arm").map(({ inMs }) => inMs)).not.toContain(4_000);
    released(stage, instanceOf(1, "db"), true);
    const { key, inMs } = stage.last("arm");
    expect(inMs).toBe(4_000);
    stage.give((site, now) => site.due(key, now));
    expect(brief(stage).at(-1)).toBe("drained");
    stage.exited(1);
    expect(stage.all("drained")).toHaveLength(1);
  });

  test("says nothing of what was let go of, and starts nothing", () => {
    const stage = closing();
    released(stage, instanceOf(1), true);
    stage.exited(1);
    stage.start(startOf(2), "9.0");
    expect(stage.told()).toMatchObject([
      { type: "ServiceCouldNotStart", data: { command: "9.0", reason: "node-1 is stopping" } },
    ]);
  });
});

describe("a start of an instance whose end was told", () => {
  const again = (stage: Stage) => {
    stage.effects.length = 0;
    stage.start(startOf(1), "1.0");
    return [brief(stage), stage.told()] as const;
  };

  test("comes too late: it is refused, and nothing starts", () => {
    const stage = running();
    stage.exited(1);
    const [effects, told] = again(stage);
    expect(effects).toEqual(["CommandRefused"]);
    expect(told).toMatchObject([{ data: { command: "1.0", code: "HAL_CONFLICT" } }]);
    stage.start(startOf(2), "2.0");
    expect(brief(stage)).toEqual(["CommandRefused", `spawn ${instanceOf(2)}`]);
  });

  test("is refused too when it was stopped before it came", () => {
    const stage = new Stage();
    stage.stop(1, "1.1");
    expect(again(stage)[0]).toEqual(["CommandRefused"]);
  });
});

test("a start that comes again is answered with the configuration that the instance has now", () => {
  const stage = running();
  const given = "5".repeat(64);
  const event = { type: "reconfigured", configuration: given, config: {} } as const;
  stage.give((site, now) => site.heard(instanceOf(1), event, now));
  stage.start(startOf(1), "1.1");
  expect(stage.told().at(-1)).toMatchObject({
    type: "ServiceStarted",
    data: { command: "1.1", configuration: given },
  });
});
