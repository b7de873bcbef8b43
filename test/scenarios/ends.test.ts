import { events, keyOf } from "@halon/protocol";
import { defineRules, on as onEvent } from "@halon/rules";
import type { Stage } from "@halon/sim";
import { describe, expect, test } from "vitest";
import { onlyProcess, running } from "./running.ts";

const on = "node-1";

/** Why the one failure of the service was one. */
function causes(stage: Stage): readonly unknown[] {
  return stage.events("ServiceFailed").map(({ data }) => (data as { cause?: string }).cause);
}

describe("readiness", () => {
  test("a failed check degrades the service, and the same process is well again later", () => {
    const stage = running({ services: { web: {} } });
    const { pid } = onlyProcess(stage, "web");
    stage.failChecks("web", 5_000);
    stage.until(() => stage.instances("web")[0]?.state === "degraded");
    expect(stage.instances("web")).toMatchObject([{ health: "fail", reason: "it is not well" }]);
    stage.until(() => stage.instances("web")[0]?.state === "running");
    expect(onlyProcess(stage, "web").pid).toBe(pid);
    expect(stage.fired("service-health")).toHaveLength(2);
    expect(stage.taken("StopService")).toEqual([]);
  });

  test("many failed checks tell of the change alone", () => {
    const stage = running({ services: { web: {} } });
    stage.failChecks("web", 60_000);
    stage.run(30_000);
    expect(stage.fired("service-health")).toHaveLength(1);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("a check that a person asks for is answered by the service", () => {
    const stage = running({ services: { web: {} } });
    const asked = stage.check("web");
    stage.until(() => stage.outcome(asked) === true);
    expect(stage.graph.get("Operation", asked.id)?.attributes.answers).toEqual({
      "web@node-1#1": { health: "ok" },
    });
  });

  test("a check of what does not run is refused at once", () => {
    const stage = running({ services: { web: {} } });
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    const asked = stage.check("web");
    stage.until(() => stage.outcome(asked) !== false, 1_000);
    expect(stage.outcome(asked)).toBe("no instance of web runs");
  });

  test("a check that the service does not live to answer has failed", () => {
    const slow = { readyUs: 20_000, stopUs: 10_000, answerUs: 500_000, memoryMb: 20 };
    const stage = running({ services: { web: { script: slow } } });
    const asked = stage.check("web");
    stage.until(() => stage.taken("CheckService").length > 0);
    stage.crashService("web");
    stage.until(() => stage.outcome(asked) !== false);
    expect(stage.outcome(asked)).toContain("web@node-1#1 ended before it answered");
  });

  test("a status that is asked for is what the service says of itself", () => {
    const stage = running({ services: { web: {} } });
    const asked = stage.status("web");
    stage.until(() => stage.outcome(asked) === true);
    expect(stage.graph.get("Operation", asked.id)?.attributes.answers).toMatchObject({
      "web@node-1#1": { report: { version: 1 } },
    });
  });
});

describe("liveness", () => {
  test("so many failures in a row end the service, and it is started again", () => {
    const stage = running({ services: { web: { livenessFailures: 2 } } });
    stage.hangService("web");
    stage.until(() => stage.fired("restart-failed").length === 1);
    stage.until(() => stage.runs("web", on));
    expect(causes(stage)).toEqual(["liveness"]);
    expect(stage.lives("web")).toMatchObject([{ end: "killed" }, { end: null }]);
  });

  test("three checks without an answer are a hung service", () => {
    const stage = running({ services: { web: { livenessFailures: 9 } } });
    const { pid } = onlyProcess(stage, "web");
    stage.hangService("web");
    stage.until(() => stage.fired("restart-failed").length === 1);
    expect(causes(stage)).toEqual(["hung"]);
    expect(stage.events("ServiceFailed")).toMatchObject([
      { data: { reason: "hung: 3 checks in a row got no answer" } },
    ]);
    stage.until(() => stage.runs("web", on));
    expect(onlyProcess(stage, "web").pid).not.toBe(pid);
  });

  test("a worker whose code stands still is hung within two seconds, without any check", () => {
    const stage = running({ services: { web: { kind: "worker", checkEveryMs: 60_000 } } });
    stage.run(100);
    stage.hangService("web");
    stage.until(() => stage.fired("restart-failed").length === 1, 2_000);
    expect(causes(stage)).toEqual(["hung"]);
    expect(stage.events("ServiceFailed")).toMatchObject([
      { data: { reason: expect.stringContaining("no sign of progress") } },
    ]);
  });

  test("more memory than the type allows ends the service, and says how much", () => {
    const stage = running({ services: { web: {} } });
    stage.leak("web");
    stage.until(() => stage.fired("restart-failed").length === 1);
    stage.until(() => stage.runs("web", on));
    expect(causes(stage)).toEqual(["memory"]);
    expect(stage.events("ServiceFailed")).toMatchObject([
      { data: { reason: expect.stringContaining("256 MiB allowed") } },
    ]);
    expect(stage.events("ServiceFailed")).toHaveLength(1);
  });

  test("a stop of a hung service kills it, and that is no failure", () => {
    const stage = running({ services: { web: { livenessFailures: 9, checkEveryMs: 60_000 } } });
    stage.run(100);
    stage.hangService("web");
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true);
    expect(stage.lives("web")).toMatchObject([{ end: "killed" }]);
    expect(causes(stage)).toEqual([]);
  });
});

describe("a service that says that its work is done", () => {
  test("is not started again, and says why", () => {
    const stage = running({ services: { web: {} } });
    stage.exitService("web");
    stage.until(() => stage.slot("web", on)?.halted === true);
    stage.always(() => stage.processes("web").length === 0, 10_000);
    expect(stage.fired("service-exited")).toHaveLength(1);
    expect(stage.fired("restart-failed")).toEqual([]);
    expect(stage.slot("web", on)?.notice).toBe("it has ended by itself: its work is done");
  });

  test("stays so when the same is deployed, and starts when a person says so", () => {
    const stage = running({ services: { web: {} } });
    stage.exitService("web");
    stage.until(() => stage.slot("web", on)?.halted === true);
    const deployed = stage.deploy("web");
    stage.until(() => stage.outcome(deployed) === true);
    stage.always(() => stage.processes("web").length === 0, 2_000);
    const started = stage.start("web");
    stage.until(() => stage.outcome(started) === true);
    expect(stage.slot("web", on)).not.toHaveProperty("notice");
  });

  test("and does not end in time is killed, and its end stays an exit", () => {
    const stage = running({ services: { web: {} } });
    onlyProcess(stage, "web").plight.ignoresStop = true;
    stage.exitService("web");
    stage.until(() => stage.slot("web", on)?.halted === true);
    expect(stage.lives("web")).toMatchObject([{ end: "killed" }]);
    expect(causes(stage)).toEqual([]);
  });

  test("before a restart that was asked for is under way does not undo it", () => {
    const stage = running({ services: { web: {} } });
    const restarted = stage.restart("web");
    stage.until(() => stage.fired("restart-requested").length === 1);
    stage.exitService("web");
    stage.until(() => stage.outcome(restarted) === true);
    expect(stage.slot("web", on)?.halted).toBeUndefined();
    expect(onlyProcess(stage, "web").instance).toBe("web@node-1#2");
  });
});

describe("a trouble", () => {
  const answering = (answer: "goOn" | "restart" | "stop") =>
    defineRules({
      answer: onEvent(events.ServiceTrouble).do(({ event, command }) => {
        const { node, service, instance, ref } = event;
        command.send(
          node,
          { type: "AnswerTrouble", service, instance, ref, answer },
          { deadlineMs: 5_000 },
        );
      }),
    });

  test("that no rule answers within 5 s is answered with a restart, as a failure", () => {
    const stage = running({ services: { web: {} } });
    stage.trouble("web");
    stage.until(() => stage.fired("service-trouble").length === 1);
    stage.run(4_900);
    expect(stage.fired("trouble-due")).toEqual([]);
    stage.until(() => stage.fired("restart-due").length === 1);
    expect(causes(stage)).toEqual(["trouble"]);
    expect(stage.lives("web")[0]?.end).toBe("asked");
  });

  test("that a rule answers with goOn lets the same process go on", () => {
    const stage = running({ rules: answering("goOn"), services: { web: {} } });
    stage.trouble("web");
    stage.until(() => stage.fired("trouble-answered").length === 1);
    stage.run(10_000);
    expect(onlyProcess(stage, "web").plight.trouble).toBeNull();
    expect(stage.fired("trouble-due")).toEqual([]);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("that a rule answers with restart does not wait for the built-in answer", () => {
    const stage = running({ rules: answering("restart"), services: { web: {} } });
    stage.trouble("web");
    stage.until(() => stage.fired("restart-due").length === 1, 1_000);
    stage.run(10_000);
    expect(causes(stage)).toEqual(["trouble"]);
    expect(stage.fired("trouble-due").flatMap(({ commands }) => commands)).toEqual([]);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("that a rule answers with stop ends the service for good", () => {
    const stage = running({ rules: answering("stop"), services: { web: {} } });
    stage.trouble("web");
    stage.until(() => stage.slot("web", on)?.halted === true);
    stage.always(() => stage.processes("web").length === 0, 10_000);
    expect(stage.fired("service-exited")).toHaveLength(1);
    expect(causes(stage)).toEqual([]);
  });

  test("of a service that ended meanwhile is nobody's any more", () => {
    const stage = running({ services: { web: {} } });
    stage.trouble("web");
    stage.until(() => stage.fired("service-trouble").length === 1);
    stage.crashService("web");
    stage.until(() => stage.fired("trouble-due").length === 1);
    expect(stage.fired("trouble-due")).toMatchObject([
      { commands: [], why: "ignored: web@node-1#1 is not a current instance" },
    ]);
    expect(stage.lives("web")).toHaveLength(2);
  });
});

describe("what is told of the past", () => {
  const place = { node: on, service: "web" };

  /** The second incarnation runs. */
  function secondRuns(): Stage {
    const stage = running({ services: { web: {} } });
    const restarted = stage.restart("web");
    stage.until(() => stage.outcome(restarted) === true);
    return stage;
  }

  test.each([
    ["ServiceFailed", "restart-failed", { reason: "late", healthyMs: 1 }],
    ["ServiceStopped", "service-stopped", {}],
    ["ServiceExited", "service-exited", { reason: "late" }],
    ["ServiceCouldNotStart", "service-could-not-start", { code: "HAL_FAILED", reason: "late" }],
    ["ServiceHealthChanged", "service-health", { health: "fail" }],
    ["ServiceTrouble", "service-trouble", { ref: "t", code: "c", reason: "late" }],
  ])("%s of an earlier start leaves the live one alone", (type, rule, more) => {
    const stage = secondRuns();
    const { pid } = onlyProcess(stage, "web");
    const commands = stage.taken().length;
    stage.emit(on, type, { ...place, instance: "web@node-1#1", ...more });
    stage.until(() => stage.fired(rule).some(({ why }) => why.startsWith("ignored:")));
    stage.run(10_000);
    expect(onlyProcess(stage, "web").pid).toBe(pid);
    expect(stage.instances("web")).toMatchObject([{ id: "web@node-1#2", state: "running" }]);
    expect(stage.taken()).toHaveLength(commands);
  });

  test("a start that nobody knows of is stopped, and the live one is left alone", () => {
    const stage = secondRuns();
    const { pid } = onlyProcess(stage, "web");
    const configuration = "0".repeat(64);
    stage.emit(on, "ServiceStarted", { ...place, instance: "web@node-1#1", configuration });
    stage.until(() => stage.taken("StopService").length === 2);
    stage.run(2_000);
    expect(stage.taken("StopService")[1]?.instance).toBe("web@node-1#1");
    expect(onlyProcess(stage, "web").pid).toBe(pid);
  });

  test("a failure that is told twice is one", () => {
    const stage = running({ services: { web: {} } });
    stage.crashService("web");
    stage.until(() => stage.fired("restart-failed").length === 1);
    const failed = { ...place, instance: "web@node-1#1", reason: "again", healthyMs: 1 };
    stage.emit(on, "ServiceFailed", failed);
    stage.until(() => stage.fired("restart-failed").length === 2);
    stage.until(() => stage.runs("web", on));
    stage.run(2_000);
    expect(stage.fired("restart-failed")[1]?.why).toBe("ignored: web@node-1#1 is failed already");
    expect(stage.slot("web", on)?.restarts).toBe(1);
    expect(stage.lives("web")).toHaveLength(2);
  });
});

describe("resources", () => {
  const kinds = { resources: ["Lamp"] };
  const acquired = { type: "acquired", kind: "Lamp", id: "hall", attributes: {} } as const;

  function holder(stage: Stage): string | undefined {
    return stage.graph.in(keyOf("Lamp", "hall"), "uses", "ServiceInstance")[0]?.id;
  }

  test("what a service holds is free when it ends", () => {
    const stage = running({ services: { web: kinds } });
    stage.says("web", acquired);
    stage.until(() => holder(stage) === "web@node-1#1");
    stage.crashService("web");
    stage.until(() => stage.fired("restart-failed").length === 1);
    expect(stage.graph.get("Lamp", "hall")).toBeUndefined();
  });

  test("what one service holds another does not get", () => {
    const stage = running({ services: { web: kinds, api: kinds } });
    stage.says("web", acquired);
    stage.until(() => holder(stage) === "web@node-1#1");
    stage.says("api", acquired);
    stage.until(() => stage.fired("resource-acquired").length === 2);
    expect(holder(stage)).toBe("web@node-1#1");
    expect(stage.fired("resource-acquired")[1]?.why).toBe(
      "refused: Lamp hall is held by web@node-1#1",
    );
  });

  test("of a kind that its type does not declare is not told of at all", () => {
    const stage = running({ services: { web: kinds } });
    stage.says("web", { ...acquired, kind: "Door" });
    stage.run(1_000);
    expect(stage.fired("resource-acquired")).toEqual([]);
  });

  test("what is given back another can hold", () => {
    const stage = running({ services: { web: kinds, api: kinds } });
    stage.says("web", acquired);
    stage.until(() => holder(stage) === "web@node-1#1");
    stage.says("web", { type: "released", kind: "Lamp", id: "hall" });
    stage.until(() => stage.fired("resource-released").length === 1);
    stage.says("api", acquired);
    stage.until(() => holder(stage) === "api@node-1#1");
  });
});
