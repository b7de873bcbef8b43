import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createRuntime } from "../runtime/create-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createEventLog, manifestOf, startAction, temporaryDirectory } from "../runtime/testing.ts";
import { readOutput } from "./output-log.ts";
import { startWorker } from "./start-worker.ts";

const fixtures = new URL("../../../testdata/workers/", import.meta.url);
const running: Runtime[] = [];

afterEach(async () => {
  for (const runtime of running.splice(0)) await runtime.shutdown({ keep: false });
});

function setUp(fixture: string) {
  const events = createEventLog();
  const dataDir = temporaryDirectory();
  const runtime = createRuntime({
    node: "node-1",
    dataDir,
    blobPath: () => new URL(`${fixture}.mjs`, fixtures).pathname,
    emit: events.emit,
    runners: { worker: startWorker },
    now: () => performance.now(),
  });
  running.push(runtime);
  const directory = join(dataDir, "services", "good");
  return { runtime, events, directory };
}

async function setUpGood(changes: Parameters<typeof manifestOf>[0] = {}) {
  const host = setUp("good");
  host.runtime.start(startAction(1, manifestOf(changes), { greeting: "hello" }), "1.0");
  await host.events.next("ServiceStarted");
  const call = (message: string, args: string[] = []) =>
    host.runtime.call("good@node-1#1", message, args, 1_000);
  return { ...host, call };
}

const at = { service: "good", instance: "good@node-1#1" };

test("a service starts, answers, and stops when it is asked to", async () => {
  process.env["HALON_TOKEN"] = "secret";
  const { runtime, events, call, directory } = await setUpGood();
  expect(await events.next("ServiceStarted")).toMatchObject({ ...at, command: "1.0" });
  expect(await events.next("ResourceAcquired")).toMatchObject({ kind: "Ticket", id: "t-1" });
  expect(await call("ping", ["ada"])).toBe("hello, ada");
  runtime.reconfigure(
    { type: "ReconfigureService", ...at, config: { greeting: "hi" }, configHash: "3".repeat(64) },
    "1.1",
  );
  expect(await events.next("ServiceReconfigured")).toMatchObject({ command: "1.1" });
  runtime.reportStatus({ type: "ReportStatus", ...at }, "1.2");
  const { report } = await events.next("ServiceReported");
  expect(report).toEqual({ greeting: "hi", refused: "HAL_RESOURCE_REFUSED", secrets: [] });
  await call("release");
  expect(await events.next("ResourceReleased")).toMatchObject({ id: "t-1" });
  runtime.stop({ type: "StopService", ...at, reason: "test" }, "1.3");
  expect(await events.next("ServiceStopped")).toMatchObject({
    command: "1.3",
    exit: { code: 0, signal: null },
  });
  expect(runtime.inventory()).toEqual([]);
  await expect.poll(() => readOutput(directory, 10_000)).toContain("stopping");
  delete process.env["HALON_TOKEN"];
});

test.each([
  { fixture: "throws-on-load", code: "HAL_SERVICE_LOAD", reason: "no good at all" },
  { fixture: "throws-at-start", code: "HAL_SERVICE_START", reason: "port is taken" },
  { fixture: "exits-at-once", code: "HAL_SERVICE_START", reason: "exit code 3" },
  { fixture: "never-ready", code: "HAL_SERVICE_NOT_READY", reason: "not ready within 400 ms" },
  { fixture: "spins-on-load", code: "HAL_SERVICE_NOT_READY", reason: "not ready within 400 ms" },
])("$fixture: the service could not start, with $code", async ({ fixture, code, reason }) => {
  const { runtime, events } = setUp(fixture);
  const startTimeoutMs = code === "HAL_SERVICE_NOT_READY" ? 400 : 5_000;
  runtime.start(startAction(1, manifestOf({ startTimeoutMs })), "1.0");
  const could = await events.next("ServiceCouldNotStart");
  expect(could).toMatchObject({ ...at, command: "1.0", code });
  expect(could.reason).toContain(reason);
  expect(runtime.inventory()).toEqual([]);
});

test.each([
  { message: "exit", reason: /exit code 7/ },
  { message: "reject", reason: /nobody caught me/ },
  { message: "eat", reason: /^memory/ },
  { message: "buffers", reason: /^memory/ },
  { message: "spin", reason: /^hung/ },
  { message: "fail", reason: /^by itself/ },
])("a running service that does $message fails, and says so", async ({ message, reason }) => {
  // The checks of this type are slow, so that only its own end or its beats are seen.
  const { runtime, events, call } = await setUpGood({ checkEveryMs: 60_000 });
  const began = performance.now();
  const answer = call(message, ["by itself"]).catch((error: unknown) => error);
  const failed = await events.next("ServiceFailed");
  expect(failed).toMatchObject(at);
  expect(failed.reason).toMatch(reason);
  if (message === "spin") expect(performance.now() - began).toBeLessThan(2_000);
  await answer;
  expect(runtime.inventory()).toEqual([]);
});

test("a service file may await at its top", async () => {
  const { runtime, events } = setUp("awaits-on-load");
  runtime.start(startAction(1));
  await events.next("ServiceStarted");
  runtime.reportStatus({ type: "ReportStatus", ...at }, "1.1");
  expect(await events.next("ServiceReported")).toMatchObject({ report: { greeting: "awaited" } });
});

test("the replacement of what crashed is taken at once, and finds its port free", async () => {
  const { runtime, events } = setUp("listens");
  runtime.start(startAction(1));
  await events.next("ServiceStarted");
  const port = await runtime.call("good@node-1#1", "port", [], 1_000);
  const answer = runtime.call("good@node-1#1", "crash", [], 1_000);
  expect(await events.next("ServiceFailed")).toMatchObject({ cause: "exception" });
  runtime.start(startAction(2, manifestOf(), { port }), "2.0");
  const answers = () => events.all.filter(({ data }) => "command" in data);
  await expect.poll(answers, { timeout: 5_000 }).toMatchObject([{ type: "ServiceStarted" }]);
  // It was sent before the crash.
  expect(await answer).toBeNull();
});

test("pending calls end when the service dies", async () => {
  const { call } = await setUpGood();
  await expect(call("exit")).rejects.toMatchObject({ code: "HAL_SERVICE_NOT_RUNNING" });
});

test("a call that gets no answer ends at its deadline", async () => {
  const { call } = await setUpGood({ checkEveryMs: 60_000 });
  await expect(call("spin")).rejects.toMatchObject({ code: "HAL_TIMEOUT" });
});

test.each([
  { how: "throw", health: "fail", detail: "disk is gone" },
  { how: "warn", health: "warn", detail: "disk is slow" },
])("a check that does $how changes the health to $health", async ({ how, health, detail }) => {
  const { runtime, events } = setUp("bad-check");
  runtime.start(startAction(1, manifestOf({ stopTimeoutMs: 50 }), { how }));
  expect(await events.next("ServiceHealthChanged")).toMatchObject({ health, detail });
});

test("three checks in a row without an answer are a hang", async () => {
  const { runtime, events } = setUp("bad-check");
  runtime.start(startAction(1, manifestOf(), { how: "silent" }));
  expect((await events.next("ServiceFailed")).reason).toMatch(/^hung: 3 checks/);
});

test("a service that does not stop is ended at its stop deadline", async () => {
  const { runtime, events } = setUp("bad-check");
  runtime.start(startAction(1, manifestOf({ stopTimeoutMs: 100 }), { how: "warn" }));
  await events.next("ServiceHealthChanged");
  runtime.stop({ type: "StopService", ...at, reason: "test" }, "2.0");
  expect(await events.next("ServiceStopped")).toMatchObject({ command: "2.0" });
});

test("a flood of output is cut to its rate, and is harmless to print", async () => {
  const { call, events, directory } = await setUpGood({ memoryMb: 256 });
  void call("flood");
  await expect.poll(() => readOutput(directory, 1e6), { timeout: 5_000 }).toContain("dropped");
  const text = await readOutput(directory, 1e7);
  expect(text).toContain("\\x1b[31mflood");
  expect(text).not.toContain("\u001b");
  expect(text.length).toBeLessThan(4_000_000);
  expect(events.all.map(({ type }) => type)).not.toContain("ServiceFailed");
});
