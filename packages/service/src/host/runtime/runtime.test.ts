import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { createRuntime } from "./create-runtime.ts";
import type { RuntimeEvent, RuntimeOptions } from "./runtime.ts";
import { manifestOf, startAction, temporaryDirectory } from "./testing.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A runner that does what the test says, and nothing by itself. */
function setUp(changes: Partial<RuntimeOptions> = {}) {
  const events: RuntimeEvent[] = [];
  const asked: string[] = [];
  const tell = new Map<string, (event: RunnerEvent) => void>();
  const runnerOf = (spec: RunnerSpec, listener: (event: RunnerEvent) => void): Runner => {
    const ask = (what: string) => asked.push(`${what} ${spec.instance}`);
    ask("spawn");
    tell.set(spec.instance, listener);
    return {
      osPid: 4711,
      requestStop: () => void ask("stop"),
      kill: () => void ask("kill"),
      check: async () => ({ health: "ok" }),
      status: async () => ({ fine: true }),
      reconfigure: async () => "restart",
      call: async () => null,
      silentMs: () => undefined,
      memoryMb: () => undefined,
      release: () => true,
    };
  };
  const runtime = createRuntime({
    node: "node-1",
    dataDir: temporaryDirectory(),
    blobPath: (hash) => hash,
    emit: (event) => void events.push(event),
    runners: { worker: runnerOf, process: runnerOf },
    now: () => Date.now(),
    ...changes,
  });
  const hear = (incarnation: number, event: RunnerEvent) =>
    tell.get(`good@node-1#${incarnation}`)?.(event);
  const exit = { type: "exited", exit: { code: 0, signal: null }, reason: "gone" } as const;
  const brief = () =>
    events.map(({ type, data }) => `${type} ${"command" in data ? data.command : "-"}`);
  return { runtime, events, asked, hear, exit, brief, runnerOf };
}

const stopAction = (incarnation: number) =>
  ({
    type: "StopService",
    service: "good",
    instance: `good@node-1#${incarnation}`,
    reason: "test",
  }) as const;

test("a start spawns before it returns", () => {
  const { runtime, asked } = setUp();
  runtime.start(startAction(1), "1.0");
  expect(asked).toEqual(["spawn good@node-1#1"]);
});

test("a start command twice starts once and is answered twice, now or when ready", () => {
  const { runtime, asked, hear, brief } = setUp();
  runtime.start(startAction(1), "1.0");
  runtime.start(startAction(1), "1.1");
  hear(1, { type: "ready" });
  runtime.start(startAction(1), "1.2");
  expect(asked).toEqual(["spawn good@node-1#1"]);
  expect(brief()).toEqual(["ServiceStarted 1.0", "ServiceStarted 1.1", "ServiceStarted 1.2"]);
});

test("a start of what is ending is answered at its end, and not before as if nothing ran", () => {
  const { runtime, asked, hear, exit, brief } = setUp();
  runtime.start(startAction(1), "1.0");
  hear(1, { type: "ready" });
  hear(1, { type: "problem", code: "HAL_FAILED", reason: "it hangs", cause: "hung" });
  runtime.start(startAction(1), "1.1");
  expect([asked, brief()]).toEqual([
    ["spawn good@node-1#1", "kill good@node-1#1"],
    ["ServiceStarted 1.0"],
  ]);
  hear(1, exit);
  expect(brief().slice(1)).toEqual(["ServiceFailed -", "CommandRefused 1.1"]);
});

test("a service name that is held is refused, naming the holder", () => {
  const { runtime, events, hear } = setUp();
  runtime.start(startAction(1), "1.0");
  hear(1, { type: "ready" });
  runtime.start(startAction(2), "2.0");
  expect(events.at(-1)).toMatchObject({
    type: "ServiceCouldNotStart",
    data: { command: "2.0", code: "HAL_NAME_TAKEN", holder: "good@node-1#1" },
  });
});

test("of two types that declare one service name, the second is refused until the first has ended", () => {
  const { runtime, events, asked, hear, exit } = setUp();
  const start = (type: string, service: string) => ({
    ...startAction(1, manifestOf({ name: type, serviceName: "shared" })),
    service,
    instance: `${service}@node-1#1`,
  });
  runtime.start(start("a", "good"), "1.0");
  hear(1, { type: "ready" });
  runtime.start(start("b", "other"), "2.0");
  expect(events.at(-1)).toMatchObject({
    type: "ServiceCouldNotStart",
    data: { command: "2.0", code: "HAL_NAME_TAKEN", holder: "good@node-1#1" },
  });
  runtime.stop(stopAction(1));
  hear(1, exit);
  runtime.start(start("b", "other"), "3.0");
  expect(asked.at(-1)).toBe("spawn other@node-1#1");
});

test("a replacement starts at the exit of an older one that stops, not before", () => {
  const { runtime, asked, hear, exit, brief } = setUp();
  runtime.start(startAction(1), "1.0");
  hear(1, { type: "ready" });
  runtime.stop(stopAction(1), "2.0");
  runtime.start(startAction(2), "2.1");
  expect(asked).toEqual(["spawn good@node-1#1", "stop good@node-1#1"]);
  expect(runtime.inventory().map(({ state }) => state)).toEqual(["stopping", "starting"]);
  hear(1, exit);
  expect(asked.at(-1)).toBe("spawn good@node-1#2");
  hear(2, { type: "ready" });
  expect(brief()).toEqual(["ServiceStarted 1.0", "ServiceStopped 2.0", "ServiceStarted 2.1"]);
});

describe("what crashed and has not exited", () => {
  const crash = {
    type: "problem",
    code: "HAL_FAILED",
    reason: "uncaught Error: no",
    cause: "exception",
    exit: { code: 1, signal: null },
  } as const;

  test("has failed at once, with the exit to come, and is in no inventory", () => {
    const { runtime, events, hear, exit, brief } = setUp();
    runtime.start(startAction(1), "1.0");
    hear(1, { type: "ready" });
    hear(1, crash);
    expect(events.at(-1)).toMatchObject({
      type: "ServiceFailed",
      data: { reason: crash.reason, cause: "exception", exit: crash.exit },
    });
    expect(runtime.inventory()).toEqual([]);
    hear(1, exit);
    expect(brief()).toEqual(["ServiceStarted 1.0", "ServiceFailed -"]);
  });

  test("keeps its name until its exit: its replacement starts then, not before", () => {
    const { runtime, asked, hear, exit } = setUp();
    runtime.start(startAction(1));
    hear(1, { type: "ready" });
    hear(1, crash);
    runtime.start(startAction(2), "2.0");
    expect(asked).toEqual(["spawn good@node-1#1", "kill good@node-1#1"]);
    expect(runtime.inventory().map(({ instance }) => instance)).toEqual(["good@node-1#2"]);
    hear(1, exit);
    expect(asked.at(-1)).toBe("spawn good@node-1#2");
  });

  test("makes another type of its service name wait for its exit, too", () => {
    const { runtime, asked, hear, exit } = setUp();
    const start = (name: string, service: string) => ({
      ...startAction(1, manifestOf({ name, serviceName: "shared" })),
      service,
      instance: `${service}@node-1#1`,
    });
    runtime.start(start("a", "good"));
    hear(1, { type: "ready" });
    hear(1, crash);
    runtime.start(start("b", "other"), "2.0");
    expect(asked).not.toContain("spawn other@node-1#1");
    hear(1, exit);
    expect(asked.at(-1)).toBe("spawn other@node-1#1");
  });

  test("is not started again itself, and a stop of it is answered", () => {
    const { runtime, asked, hear, exit, brief } = setUp();
    runtime.start(startAction(1));
    hear(1, { type: "ready" });
    hear(1, crash);
    runtime.start(startAction(1), "1.1");
    runtime.stop(stopAction(1), "1.2");
    hear(1, exit);
    expect(brief().slice(2)).toEqual(["CommandRefused 1.1", "ServiceStopped 1.2"]);
    expect(asked.filter((what) => what.startsWith("spawn"))).toHaveLength(1);
  });

  test("is waited for by a shutdown", async () => {
    const { runtime, hear, exit } = setUp();
    runtime.start(startAction(1));
    hear(1, { type: "ready" });
    hear(1, crash);
    let isDown = false;
    const down = runtime.shutdown({ keep: false }).then(() => {
      isDown = true;
    });
    await Promise.resolve();
    expect(isDown).toBe(false);
    hear(1, exit);
    await down;
  });
});

test("a start that waits ends at its start deadline", () => {
  const { runtime, events, hear } = setUp();
  runtime.start(startAction(1));
  hear(1, { type: "ready" });
  runtime.stop(stopAction(1));
  runtime.start(startAction(2, manifestOf({ startTimeoutMs: 300 })), "2.0");
  vi.advanceTimersByTime(300);
  expect(events.at(-1)).toMatchObject({
    data: { command: "2.0", code: "HAL_NAME_TAKEN", holder: "good@node-1#1" },
  });
});

test("a stop of what is not there is answered; a newer one is not touched", () => {
  const { runtime, asked, brief } = setUp();
  runtime.start(startAction(2), "1.0");
  runtime.stop(stopAction(1), "2.0");
  expect(brief()).toEqual(["ServiceStopped 2.0"]);
  expect(asked).toEqual(["spawn good@node-1#2"]);
});

test("a stop escalates to a kill at its deadline, which is repeated until the exit", () => {
  const { runtime, asked, hear } = setUp();
  runtime.start(startAction(1, manifestOf({ stopTimeoutMs: 100 })));
  hear(1, { type: "ready" });
  runtime.stop(stopAction(1), "2.0");
  vi.advanceTimersByTime(100);
  expect(asked.slice(1)).toEqual(["stop good@node-1#1", "kill good@node-1#1"]);
  vi.advanceTimersByTime(2_000);
  expect(asked.filter((what) => what.startsWith("kill")).length).toBeGreaterThan(1);
});

test("a stop before it is ready answers both commands, and is not a failure", () => {
  const { runtime, hear, exit, brief } = setUp();
  runtime.start(startAction(1), "1.0");
  runtime.stop(stopAction(1), "2.0");
  hear(1, exit);
  expect(brief()).toEqual(["CommandRefused 1.0", "ServiceStopped 2.0"]);
});

test("an instance that is ready counts as well, and a check that agrees is not reported", async () => {
  const { runtime, hear, brief } = setUp();
  runtime.start(startAction(1), "1.0");
  hear(1, { type: "ready" });
  expect(runtime.inventory()).toMatchObject([{ health: "ok" }]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(brief()).toEqual(["ServiceStarted 1.0"]);
});

test("a failure tells how long it was healthy, and is told before the stop that came too late", async () => {
  const { runtime, events, hear, exit, brief } = setUp();
  runtime.start(startAction(1), "1.0");
  hear(1, { type: "ready" });
  await vi.advanceTimersByTimeAsync(700);
  hear(1, { type: "problem", code: "HAL_FAILED", reason: "disk" });
  runtime.stop(stopAction(1), "2.0");
  hear(1, exit);
  expect(brief()).toEqual(["ServiceStarted 1.0", "ServiceFailed -", "ServiceStopped 2.0"]);
  const failed = events.find(({ type }) => type === "ServiceFailed");
  expect(failed).toMatchObject({ data: { reason: "disk", healthyMs: 700 } });
});

test("a configuration that the schema refuses starts nothing", () => {
  const { runtime, events, asked } = setUp();
  const configurationSchema = { type: "object", properties: { port: { type: "number" } } };
  const manifest = manifestOf({ configurationSchema, schemaHash: "4".repeat(64) });
  runtime.start(startAction(1, manifest, { port: "x" }), "1.0");
  expect(asked).toEqual([]);
  expect(events).toMatchObject([{ data: { command: "1.0", code: "HAL_SCHEMA_VIOLATION" } }]);
});

test("a runner that cannot be made is a start that failed, and frees the name", () => {
  const { runtime, events } = setUp({
    runners: {
      worker: () => {
        throw new Error("ENOENT");
      },
    },
  });
  runtime.start(startAction(1), "1.0");
  expect(events).toMatchObject([{ data: { code: "HAL_SERVICE_START", reason: "ENOENT" } }]);
  expect(runtime.inventory()).toEqual([]);
});

test("what another command asks of one that does not run is refused", () => {
  const { runtime, events } = setUp();
  const at = { service: "good", instance: "good@node-1#1" };
  runtime.perform({ type: "CheckService", ...at }, "1.0");
  runtime.perform({ type: "ReportStatus", ...at }, "1.1");
  expect(events.map(({ data }) => "code" in data && data.code)).toEqual([
    "HAL_SERVICE_NOT_RUNNING",
    "HAL_SERVICE_NOT_RUNNING",
  ]);
});

const circle: Record<string, unknown> = {};
circle["self"] = circle;

test.each([
  ["an integer beyond JSON", { size: 3n }],
  ["a circle", circle],
  ["a map", { all: new Map() }],
  ["nothing", undefined],
])("a status that is %s is refused, and harms nobody else", async (_, status) => {
  const plain = setUp();
  const runnerOf = (spec: RunnerSpec, listener: (event: RunnerEvent) => void): Runner => ({
    ...plain.runnerOf(spec, listener),
    status: async () => status as never,
  });
  const { runtime, events } = setUp({ runners: { worker: runnerOf } });
  runtime.start(startAction(1));
  plain.hear(1, { type: "ready" });
  const at = { service: "good", instance: "good@node-1#1" };
  runtime.perform({ type: "ReportStatus", ...at }, "1.1");
  await vi.advanceTimersByTimeAsync(1);
  expect(events).toContainEqual(
    expect.objectContaining({
      type: "CommandRefused",
      data: expect.objectContaining({ command: "1.1", code: "HAL_FAILED" }),
    }),
  );
});

test("one that cannot be reconfigured while it runs says that it needs a restart", async () => {
  const { runtime, events, hear } = setUp();
  const at = { service: "good", instance: "good@node-1#1" };
  runtime.start(startAction(1));
  hear(1, { type: "ready" });
  const configHash = "5".repeat(64);
  runtime.perform({ type: "ReconfigureService", ...at, config: {}, configHash }, "1.1");
  await vi.advanceTimersByTimeAsync(1);
  expect(events).toContainEqual(
    expect.objectContaining({ data: expect.objectContaining({ code: "HAL_CONFLICT" }) }),
  );
});

test("an undeclared resource is not reported", () => {
  const { runtime, hear, brief } = setUp();
  runtime.start(startAction(1));
  hear(1, { type: "acquired", kind: "Elephant", id: "e", attributes: {} });
  hear(1, { type: "acquired", kind: "Ticket", id: "t", attributes: {} });
  expect(brief()).toEqual(["ResourceAcquired -"]);
});

test("adopted OS processes are in the inventory as running, without a start event", async () => {
  const fake = setUp();
  const action = startAction(7);
  const { service, instance, manifest, config, configHash } = action;
  const { runtime, brief } = setUp({
    adopters: [
      async ({ node, blobPath, servicesDirectory }, onFound) => {
        const directory = `${servicesDirectory}/good`;
        const configValues = () => config;
        const spec = {
          ...{ node, service, instance, manifest, config, configHash },
          ...{ configValues, blobPath, directory },
        };
        onFound({
          type: "adopted",
          spec,
          osPid: 4711,
          watch: (listener) => fake.runnerOf(spec, listener),
        });
      },
    ],
  });
  await runtime.adopt();
  expect(runtime.inventory()).toMatchObject([{ instance, state: "running", osPid: 4711 }]);
  fake.hear(7, { type: "ready" });
  expect(brief()).toEqual([]);
  runtime.start(startAction(8), "1.0");
  expect(brief()).toEqual(["ServiceCouldNotStart 1.0"]);
});

test("a shutdown that keeps lets go without stopping; another one ends by its deadline", async () => {
  const kept = setUp();
  kept.runtime.start(startAction(1));
  kept.hear(1, { type: "ready" });
  await kept.runtime.shutdown({ keep: true });
  expect(kept.asked).toEqual(["spawn good@node-1#1"]);
  const stopped = setUp();
  stopped.runtime.start(startAction(1));
  const done = stopped.runtime.shutdown({ keep: false });
  stopped.runtime.start(startAction(9, manifestOf({ serviceName: "late" })), "9.0");
  await vi.advanceTimersByTimeAsync(5_000);
  await done;
  expect(stopped.asked).toContain("kill good@node-1#1");
  expect(stopped.brief()).toEqual(["ServiceCouldNotStart 9.0"]);
});
