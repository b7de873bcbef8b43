import { describe, expect, test } from "vitest";
import { onlyProcess, ready, running } from "./running.ts";

const on = "node-1";

describe("a start", () => {
  test("is commanded once, and what was asked for is done when the service runs", () => {
    const stage = ready({ services: { web: {} } });
    const deployed = stage.deploy("web");
    stage.until(() => stage.processes("web").length > 0);
    expect(stage.outcome(deployed)).toBe(false);
    stage.until(() => stage.outcome(deployed) === true);
    expect(stage.taken("StartService")).toHaveLength(1);
    expect(stage.fired("service-started")).toHaveLength(1);
    expect(stage.instances("web")).toMatchObject([{ id: "web@node-1#1", state: "running" }]);
  });

  test("that is slow and in time is waited for", () => {
    const slow = { readyUs: 3_500_000, stopUs: 10_000, answerUs: 1_000, memoryMb: 20 };
    const stage = running({ services: { web: { script: slow } } });
    expect(stage.lives("web")).toHaveLength(1);
    expect(stage.events("ServiceCouldNotStart")).toEqual([]);
  });

  test("that is not ready in its time is ended, says so, and is tried again", () => {
    const slow = { readyUs: 300_000, stopUs: 10_000, answerUs: 1_000, memoryMb: 20 };
    const stage = ready({ services: { web: { script: slow } } });
    stage.next("web", "slowStart");
    const deployed = stage.deploy("web");
    stage.until(() => stage.outcome(deployed) === true);
    const [first, second] = stage.lives("web");
    expect(first).toMatchObject({ instance: "web@node-1#1", end: "killed" });
    expect((first?.untilMs ?? 0) - (first?.fromMs ?? 0)).toBeGreaterThanOrEqual(5_000);
    expect(second).toMatchObject({ instance: "web@node-1#2", end: null });
    expect(stage.fired("service-could-not-start")).toHaveLength(1);
    expect(stage.events("ServiceCouldNotStart")).toMatchObject([
      { data: { code: "HAL_SERVICE_NOT_READY", reason: "not ready within 5000 ms" } },
    ]);
  });

  test("whose process ends before it is ready is one that could not start, and no failure", () => {
    const stage = ready({ services: { web: {} } });
    stage.deploy("web");
    stage.until(() => stage.processes("web").length > 0);
    stage.crashService("web");
    stage.until(() => stage.runs("web"));
    expect(stage.fired("service-could-not-start")).toHaveLength(1);
    expect(stage.fired("restart-failed")).toEqual([]);
    expect(stage.fired("restart-due")).toHaveLength(1);
  });

  test("that fails tells why, with the code of the service", () => {
    const stage = ready({ services: { web: {} } });
    stage.next("web", "failStart");
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    expect(stage.events("ServiceCouldNotStart")).toMatchObject([
      {
        data: { instance: "web@node-1#1", code: "HAL_SERVICE_START", reason: "it does not start" },
      },
    ]);
    expect(onlyProcess(stage, "web").instance).toBe("web@node-1#2");
  });

  test("of a type whose service name is taken names the holder and leaves it alone", () => {
    const at = { placement: { type: "node", node: on }, serviceName: "door" } as const;
    const stage = ready({ services: { web: at, api: at } });
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const { pid } = onlyProcess(stage, "web");
    stage.deploy("api");
    stage.until(() => stage.slot("api", on)?.broken !== undefined);
    expect(stage.slot("api", on)?.broken).toContain("web@node-1#1");
    expect(stage.lives("api")).toEqual([]);
    expect(onlyProcess(stage, "web").pid).toBe(pid);
  });

  test("of what runs already changes nothing, and is done", () => {
    const stage = running({ services: { web: {} } });
    const started = stage.start("web");
    stage.until(() => stage.outcome(started) === true);
    expect(stage.fired("start-requested")).toMatchObject([{ commands: [] }]);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("whose command comes again is begun once", () => {
    const slow = { readyUs: 3_500_000, stopUs: 10_000, answerUs: 1_000, memoryMb: 20 };
    const place = { type: "node", node: "node-2" } as const;
    const stage = ready({
      satellites: 1,
      services: { web: { script: slow, placement: place } },
    });
    stage.deploy("web");
    stage.until(() => stage.processes("web").length > 0);
    stage.resetLinks("node-2");
    stage.until(() => stage.runs("web"));
    const verdicts = stage.taken("StartService").map(({ verdict }) => verdict);
    expect(verdicts[0]).toBe("begin");
    expect(verdicts.length).toBeGreaterThan(1);
    expect(new Set(verdicts.slice(1))).toEqual(new Set(["known"]));
    expect(stage.lives("web")).toHaveLength(1);
  });
});

describe("a stop", () => {
  test("ends the service without a failure, and it stays ended", () => {
    const stage = running({ services: { web: {} } });
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    stage.always(() => stage.processes("web").length === 0, 10_000);
    expect(stage.lives("web")).toMatchObject([{ end: "asked" }]);
    expect(stage.events("ServiceFailed")).toEqual([]);
    expect(stage.slot("web", on)?.halted).toBe(true);
    expect(stage.instances("web")).toMatchObject([{ state: "stopped" }]);
  });

  test("that the service ignores ends it by force at its deadline", () => {
    const stage = ready({ services: { web: {} } });
    stage.next("web", "ignoreStop");
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const askedMs = stage.nowMs;
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    const [life] = stage.lives("web");
    expect(life?.end).toBe("killed");
    expect((life?.untilMs ?? 0) - askedMs).toBeGreaterThanOrEqual(2_000);
    expect(stage.fired("service-stopped")).toHaveLength(1);
  });

  test("that the main process obeys and its children do not ends them all before it is done", () => {
    const stage = ready({ services: { web: {} } });
    stage.next("web", "fork");
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    expect(stage.processes("web")).toEqual([]);
    expect(stage.lives("web")).toMatchObject([{ end: "asked" }]);
  });

  test("of a service that is starting ends it, and the start is no failure", () => {
    const stage = ready({ services: { web: {} } });
    const deployed = stage.deploy("web");
    stage.until(() => stage.processes("web").length > 0);
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true && stage.outcome(deployed) === true);
    stage.always(() => stage.processes("web").length === 0, 5_000);
    expect(stage.fired("service-could-not-start")).toEqual([]);
    expect(stage.fired("service-started")).toEqual([]);
  });

  test("of what is stopped already is done, and no command is sent", () => {
    const stage = running({ services: { web: {} } });
    const first = stage.stop("web");
    stage.until(() => stage.outcome(first) === true);
    const second = stage.stop("web");
    stage.until(() => stage.outcome(second) === true);
    expect(stage.taken("StopService")).toHaveLength(1);
  });

  test("of a service that crashes on its way out is a stop, and no failure", () => {
    const stage = ready({ services: { web: {} } });
    stage.next("web", "ignoreStop");
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const stopped = stage.stop("web");
    stage.until(() => stage.processes("web")[0]?.state === "stopping");
    stage.crashService("web", on, 3);
    stage.until(() => stage.outcome(stopped) === true);
    stage.always(() => stage.processes("web").length === 0, 3_000);
    expect(stage.events("ServiceFailed")).toEqual([]);
    expect(stage.fired("service-stopped")).toHaveLength(1);
  });

  test("that crosses the failure of the service ends with it stopped", () => {
    const stage = running({ services: { web: {} } });
    const stopped = stage.stop("web");
    stage.until(() => stage.fired("stop-requested").length === 1);
    stage.crashService("web");
    stage.until(() => stage.outcome(stopped) === true);
    stage.always(() => stage.processes("web").length === 0, 3_000);
    expect(stage.fired("restart-due")).toEqual([]);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("of a service that waits for an answer to its trouble needs no answer", () => {
    const stage = running({ services: { web: {} } });
    stage.trouble("web");
    stage.until(() => stage.fired("service-trouble").length === 1);
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true, 2_000);
    stage.always(() => stage.processes("web").length === 0, 10_000);
    expect(stage.taken("AnswerTrouble")).toEqual([]);
  });

  test("that is told of again while it is under way is the same one", () => {
    const at = { placement: { type: "node", node: "node-2" } } as const;
    const stage = ready({ satellites: 1, services: { web: at } });
    stage.next("web", "ignoreStop");
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const stopped = stage.stop("web");
    stage.until(() => stage.processes("web")[0]?.state === "stopping");
    stage.resetLinks("node-2");
    stage.until(() => stage.outcome(stopped) === true);
    const taken = stage.taken("StopService");
    expect(taken.length).toBeGreaterThan(1);
    expect(new Set(taken.map(({ id }) => id)).size).toBe(1);
    expect(stage.fired("service-stopped")).toHaveLength(1);
  });

  test("holds after its node was started again", () => {
    const stage = running({ services: { web: {} } });
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    stage.crashNode(on, 1_000);
    stage.until(() => stage.fired("node-inventory").length > 1);
    stage.always(() => stage.processes("web").length === 0, 10_000);
    expect(stage.slot("web", on)?.halted).toBe(true);
  });

  test("of what waits for its next start takes the start back", () => {
    const stage = running({ services: { web: {} } });
    stage.crashService("web");
    stage.until(() => stage.fired("restart-failed").length > 0);
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    stage.run(5_000);
    expect(stage.fired("restart-due")).toEqual([]);
    expect(stage.instances("web")).toMatchObject([{ id: "web@node-1#1", state: "stopped" }]);
  });

  test("makes a start that comes meanwhile wait for the end", () => {
    const stage = ready({ services: { web: {} } });
    stage.next("web", "ignoreStop");
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const stopped = stage.stop("web");
    stage.until(() => stage.taken("StopService").length > 0);
    const started = stage.start("web");
    stage.until(() => stage.outcome(started) === true);
    const [first, second] = stage.lives("web");
    expect(first?.untilMs ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(second?.fromMs ?? 0);
    expect(second).toMatchObject({ instance: "web@node-1#2", end: null });
    expect(stage.outcome(stopped)).toBe(true);
  });
});

describe("a restart that is asked for", () => {
  test("is one stop and one start, and counts as no failure", () => {
    const stage = running({ services: { web: {} } });
    const restarted = stage.restart("web");
    stage.until(() => stage.outcome(restarted) === true);
    expect(stage.lives("web").map(({ instance }) => instance)).toEqual([
      "web@node-1#1",
      "web@node-1#2",
    ]);
    expect(stage.slot("web", on)?.restarts ?? 0).toBe(0);
    expect(stage.fired("restart-due")).toEqual([]);
  });

  test("and crosses a failure of the service counts as none", () => {
    const stage = running({ services: { web: {} } });
    const restarted = stage.restart("web");
    stage.until(() => stage.fired("restart-requested").length === 1);
    stage.crashService("web");
    stage.until(() => stage.outcome(restarted) === true);
    expect(stage.slot("web", on)?.restarts ?? 0).toBe(0);
    expect(stage.fired("restart-due")).toEqual([]);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("twice at once is one", () => {
    const stage = running({ services: { web: {} } });
    const both = [stage.restart("web"), stage.restart("web")];
    stage.until(() => both.every((asked) => stage.outcome(asked) === true));
    stage.run(2_000);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("of what a person stopped starts it", () => {
    const stage = running({ services: { web: {} } });
    stage.stop("web");
    stage.until(() => stage.fired("service-stopped").length > 0);
    const restarted = stage.restart("web");
    stage.until(() => stage.outcome(restarted) === true);
    expect(stage.runs("web", on)).toBe(true);
    expect(stage.slot("web", on)?.halted).toBeUndefined();
  });
});

describe("what is removed", () => {
  test("is stopped, and nothing wants it any more", () => {
    const stage = running({ services: { web: {}, api: {} } });
    const applied = stage.deployOnly("api");
    stage.until(() => stage.outcome(applied) === true && stage.processes("web").length === 0);
    stage.always(() => stage.processes("web").length === 0, 5_000);
    expect(stage.lives("web")).toMatchObject([{ end: "asked" }]);
    expect(stage.places("web")).toEqual([]);
    expect(stage.lives("api")).toHaveLength(1);
  });

  test("while it starts never runs", () => {
    const stage = running({ services: { api: {}, web: {} } });
    stage.restart("web");
    stage.until(() => stage.lives("web").length === 2);
    stage.deployOnly("api");
    stage.until(() => stage.processes("web").length === 0 && stage.places("web").length === 0);
    stage.always(() => stage.processes("web").length === 0, 5_000);
    expect(
      stage.fired("service-started").filter(({ event }) => isOf(event.data, "web@node-1#2")),
    ).toEqual([]);
  });

  test("and deployed again starts under a number that was not used before", () => {
    const stage = running({ services: { api: {}, web: {} } });
    stage.deployOnly("api");
    stage.until(() => stage.instances("web").length === 0);
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    expect(onlyProcess(stage, "web").instance).toBe("web@node-1#2");
  });
});

function isOf(data: unknown, instance: string): boolean {
  return (data as { readonly instance?: string }).instance === instance;
}
