import { keyOf } from "@halon/protocol";
import type { Stage } from "@halon/sim";
import { describe, expect, test } from "vitest";
import { onlyProcess, ready, running } from "./running.ts";

const on = "node-1";

/** The configuration that the slot of the service wants, with its id. */
function wanted(stage: Stage, service = "web") {
  const key = keyOf("ServiceName", `${service}@${on}`);
  const found = stage.graph.out(key, "wants", "Configuration")[0];
  return { id: found?.id ?? "", value: found?.attributes.value ?? {} };
}

/** Has been well for so long that its configuration counts as one that works. */
function proven(stage: Stage): void {
  stage.run(10_500);
}

/** Until the configuration that was just asked for is taken back. */
function takenBack(stage: Stage, times = 1): void {
  stage.until(() => stage.events("ConfigurationReverted").length === times);
  stage.until(() => stage.runs("web", on));
}

describe("a new configuration", () => {
  test("is taken by a worker while it runs", () => {
    const stage = running({ services: { web: { kind: "worker" } } });
    const { pid } = onlyProcess(stage, "web");
    const configured = stage.configure("web");
    stage.until(() => stage.outcome(configured) === true);
    expect(onlyProcess(stage, "web")).toMatchObject({ pid, config: { version: 2 } });
    expect(stage.taken("ReconfigureService")).toHaveLength(1);
    expect(stage.taken("StopService")).toEqual([]);
  });

  test("is given to a worker once, though its node comes anew meanwhile", () => {
    const script = { readyUs: 20_000, stopUs: 10_000, answerUs: 800_000, memoryMb: 20 };
    const placement = { type: "node", node: "node-2" } as const;
    const stage = running({
      satellites: 1,
      services: { web: { kind: "worker", script, placement } },
    });
    const configured = stage.configure("web");
    stage.until(() => stage.taken("ReconfigureService").length === 1);
    stage.resetLinks("node-2");
    stage.until(() => stage.outcome(configured) === true);
    const ids = stage.taken("ReconfigureService").map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(1);
    expect(new Set(ids).size).toBe(1);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("restarts a process, which cannot take it while it runs, once", () => {
    const stage = running({ services: { web: {} } });
    const configured = stage.configure("web");
    stage.until(() => stage.outcome(configured) === true);
    expect(onlyProcess(stage, "web")).toMatchObject({ config: { version: 2 } });
    expect(stage.lives("web").map(({ end }) => end)).toEqual(["asked", null]);
    expect(stage.events("ServiceFailed")).toEqual([]);
    expect(stage.slot("web", on)?.restarts ?? 0).toBe(0);
  });

  test("that comes while the service starts is what it runs with in the end", () => {
    const stage = ready({ services: { web: { kind: "worker" } } });
    stage.deploy("web");
    stage.until(() => stage.processes("web").length > 0);
    const configured = stage.configure("web");
    stage.until(() => stage.outcome(configured) === true);
    expect(onlyProcess(stage, "web")).toMatchObject({ config: { version: 2 } });
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("soon after another leaves the last one, and both are answered", () => {
    const stage = running({ services: { web: {} } });
    const first = stage.configure("web");
    stage.until(() => stage.fired("configuration-requested").length === 1);
    const both = [first, stage.configure("web")];
    stage.until(() => both.every((asked) => stage.outcome(asked) === true));
    stage.run(2_000);
    expect(onlyProcess(stage, "web")).toMatchObject({ config: { version: 3 } });
  });

  test("of what is stopped is kept for its next start", () => {
    const stage = running({ services: { web: {} } });
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    const configured = stage.configure("web");
    stage.until(() => stage.outcome(configured) === true);
    expect(stage.processes("web")).toEqual([]);
    stage.start("web");
    stage.until(() => stage.runs("web", on));
    expect(onlyProcess(stage, "web")).toMatchObject({ config: { version: 2 } });
  });

  test("of what is not deployed is refused with what to do", () => {
    const stage = ready({ services: { web: {} } });
    const config = { version: 2, bad: false };
    const configHash = "1".repeat(64);
    const asked = stage.request("ConfigurationRequested", { service: "web", config, configHash });
    stage.until(() => stage.outcome(asked) !== false);
    expect(stage.outcome(asked)).toBe("web is not wanted on any node");
  });
});

describe("a configuration with which the service does not start", () => {
  test("is taken back after its tries to the last that worked, and whoever asked is told", () => {
    const stage = running({ services: { web: {} } });
    const before = wanted(stage);
    proven(stage);
    const configured = stage.configure("web", { bad: true });
    takenBack(stage);
    expect(wanted(stage)).toEqual(before);
    expect(stage.outcome(configured)).toContain("was taken back");
    expect(stage.fired("service-could-not-start")).toHaveLength(3);
    expect(stage.slot("web", on)?.notice).toContain("it failed 3 times");
    expect(stage.slot("web", on)?.broken).toBeUndefined();
  });

  test("is taken back where the service was changed soon after its first start", () => {
    const stage = running({ services: { web: {} } });
    const before = wanted(stage);
    stage.configure("web", { bad: true });
    takenBack(stage);
    expect(wanted(stage)).toEqual(before);
  });

  test("is taken back by a worker that refuses it while it runs", () => {
    const stage = running({ services: { web: { kind: "worker" } } });
    const before = wanted(stage);
    proven(stage);
    const configured = stage.configure("web", { bad: true });
    takenBack(stage);
    expect(wanted(stage)).toEqual(before);
    expect(stage.outcome(configured)).toContain("was taken back");
    expect(stage.fired("command-refused")).toHaveLength(1);
  });

  test("breaks the service where none has ever worked", () => {
    const stage = ready({ services: { web: {} } });
    stage.next("web", "failStart", 1);
    stage.deploy("web");
    stage.until(() => stage.fired("service-could-not-start").length === 1);
    stage.configure("web", { bad: true });
    stage.until(() => stage.slot("web", on)?.broken !== undefined);
    expect(stage.events("ConfigurationReverted")).toEqual([]);
  });

  test("that was taken back is tried again when a person asks for it again, and goes back again", () => {
    const stage = running({ services: { web: {} } });
    proven(stage);
    stage.configure("web", { bad: true });
    takenBack(stage);
    stage.configure("web", { bad: true });
    takenBack(stage, 2);
    expect(stage.fired("service-could-not-start")).toHaveLength(6);
    expect(stage.slot("web", on)?.broken).toBeUndefined();
  });

  test("is not the notice any more when a person agrees to what it went back to", () => {
    const stage = running({ services: { web: {} } });
    proven(stage);
    stage.configure("web", { bad: true });
    takenBack(stage);
    const lives = stage.lives("web").length;
    const { id: configHash, value: config } = wanted(stage);
    const agreed = stage.request("ConfigurationRequested", { service: "web", config, configHash });
    stage.until(() => stage.outcome(agreed) === true);
    expect(stage.slot("web", on)).not.toHaveProperty("notice");
    stage.run(2_000);
    expect(stage.lives("web")).toHaveLength(lives);
  });

  test("is taken back on each node by itself", () => {
    const stage = running({ satellites: 1, services: { web: { placement: { type: "every" } } } });
    stage.until(() => stage.runsOn("web").length === 2);
    proven(stage);
    stage.configure("web", { bad: true });
    stage.until(() => stage.events("ConfigurationReverted").length === 2);
    stage.until(() => stage.runsOn("web").length === 2);
    expect(stage.processes("web").map(({ config }) => config.version)).toEqual([1, 1]);
  });

  test("and other failures are told apart: what worked for long is not taken back", () => {
    const stage = running({ services: { web: {} } });
    proven(stage);
    const configured = stage.configure("web");
    stage.until(() => stage.outcome(configured) === true);
    proven(stage);
    stage.next("web", "failStart", 3);
    stage.crashService("web");
    stage.until(() => stage.fired("service-could-not-start").length === 3);
    stage.until(() => stage.runs("web", on));
    expect(stage.events("ConfigurationReverted")).toEqual([]);
    expect(onlyProcess(stage, "web")).toMatchObject({ config: { version: 2 } });
  });
});

describe("what no configuration could have changed", () => {
  test("takes none back: code that does not load breaks the service with the new one", () => {
    const stage = running({ services: { web: {} } });
    proven(stage);
    const configured = stage.configure("web");
    for (let tries = 0; tries < 5; tries += 1) {
      stage.until(() => stage.processes("web")[0]?.config.version === 2);
      const reason = "its module is not there";
      stage.says("web", { type: "problem", code: "HAL_SERVICE_LOAD", reason });
      stage.until(() => stage.fired("service-could-not-start").length > tries);
    }
    stage.until(() => stage.outcome(configured) !== false);
    expect(stage.outcome(configured)).toContain("its module is not there");
    expect(stage.events("ConfigurationReverted")).toEqual([]);
    expect(wanted(stage).value).toMatchObject({ version: 2 });
  });
});

describe("new code", () => {
  test("stops the old and starts the new, once", () => {
    const stage = running({ services: { web: {} } });
    const upgraded = stage.upgrade("web");
    stage.until(() => stage.outcome(upgraded) === true);
    stage.run(2_000);
    expect(stage.instances("web")).toMatchObject([{ id: "web@node-1#2", version: "1.2.0" }]);
    expect(stage.lives("web").map(({ end }) => end)).toEqual(["asked", null]);
    expect(stage.events("ServiceFailed")).toEqual([]);
  });

  test("does not start what a person stopped, and is there when it starts", () => {
    const stage = running({ services: { web: {} } });
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    const upgraded = stage.upgrade("web");
    stage.until(() => stage.outcome(upgraded) === true);
    expect(stage.processes("web")).toEqual([]);
    stage.start("web");
    stage.until(() => stage.runs("web", on));
    expect(stage.instances("web")).toMatchObject([{ version: "1.2.0" }]);
  });

  test("of one service leaves the others alone", () => {
    const stage = running({ services: { web: {}, api: {} } });
    const { pid } = onlyProcess(stage, "api");
    const upgraded = stage.upgrade("web");
    stage.until(() => stage.outcome(upgraded) === true);
    stage.run(1_000);
    expect(onlyProcess(stage, "api").pid).toBe(pid);
  });

  test("that comes while the older starts replaces it when that runs", () => {
    const stage = ready({ services: { web: {} } });
    stage.deploy("web");
    stage.until(() => stage.processes("web").length > 0);
    const upgraded = stage.upgrade("web");
    stage.until(() => stage.outcome(upgraded) === true);
    expect(stage.instances("web")).toMatchObject([{ id: "web@node-1#2", version: "1.2.0" }]);
  });

  test("soon after other new code ends with the last", () => {
    const stage = running({ services: { web: {} } });
    const first = stage.upgrade("web");
    stage.until(() => stage.fired("cluster-applied").length === 2);
    const both = [first, stage.upgrade("web")];
    stage.until(() => both.every((asked) => stage.outcome(asked) === true));
    expect(stage.instances("web")).toMatchObject([{ version: "1.3.0" }]);
    expect(stage.lives("web").length).toBeLessThanOrEqual(3);
  });
});

describe("the same once more", () => {
  test("changes nothing when it is deployed", () => {
    const stage = running({ services: { web: {}, api: {} } });
    const before = stage.taken().length;
    const deployed = stage.deploy("web", "api");
    stage.until(() => stage.outcome(deployed) === true);
    stage.run(5_000);
    expect(stage.taken()).toHaveLength(before);
    expect(stage.lives("web")).toHaveLength(1);
    expect(stage.fired("cluster-applied")).toHaveLength(2);
  });

  test("changes nothing when it is configured", () => {
    const stage = running({ services: { web: {} } });
    const { id: configHash, value: config } = wanted(stage);
    const asked = stage.request("ConfigurationRequested", { service: "web", config, configHash });
    stage.until(() => stage.outcome(asked) === true);
    expect(stage.taken("ReconfigureService")).toEqual([]);
    expect(stage.lives("web")).toHaveLength(1);
  });
});
