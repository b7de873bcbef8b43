import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { limits } from "../limits.ts";
import { createRuntime } from "../runtime/create-runtime.ts";
import type { Runtime, RuntimeEvent } from "../runtime/runtime.ts";
import { createEventLog, manifestOf, startAction, temporaryDirectory } from "../runtime/testing.ts";
import { readOutput } from "./output-log.ts";
import { startWorker } from "./start-worker.ts";

const fixtures = new URL("../../../testdata/workers/", import.meta.url);
const running: Runtime[] = [];
let count = 0;

afterEach(async () => {
  for (const runtime of running.splice(0)) await runtime.shutdown({ keep: false });
});

/** Services that share one thread, which no other test uses: each asks for a limit of memory of its own. */
async function setUp(services: number, fixture = "neighbour") {
  count += 1;
  const memoryMb = 64 + count;
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
  const names = Array.from({ length: services }, (_, index) => `s${count}-${index}`);
  const start = (service: string, incarnation: number) => {
    const manifest = manifestOf({
      name: service,
      serviceName: service,
      thread: "shared",
      memoryMb,
      checkEveryMs: 60_000,
    });
    runtime.start(startAction(incarnation, manifest));
  };
  const about = (service: string, type: RuntimeEvent["type"]) =>
    events.all.filter(
      (event) => event.type === type && "service" in event.data && event.data.service === service,
    );
  const seen = async (service: string, type: RuntimeEvent["type"], times = 1) => {
    await expect.poll(() => about(service, type).length, { timeout: 8_000 }).toBe(times);
    return about(service, type)[times - 1]?.data as Record<string, unknown>;
  };
  const call = (service: string, message: string, args: string[] = [], incarnation = 1) =>
    runtime.call(`${service}@node-1#${incarnation}`, message, args, 5_000);
  const status = async (service: string, incarnation = 1) => {
    const instance = `${service}@node-1#${incarnation}`;
    const before = about(service, "ServiceReported").length;
    runtime.reportStatus({ type: "ReportStatus", service, instance });
    return (await seen(service, "ServiceReported", before + 1))["report"];
  };
  for (const service of names) start(service, 1);
  for (const service of names) await seen(service, "ServiceStarted");
  const [first = "", second = ""] = names;
  return { runtime, events, dataDir, names, first, second, start, seen, about, call, status };
}

test("services of one thread answer each for itself, and one that stops leaves the others", async () => {
  const { runtime, first, second, seen, call, status, dataDir, about } = await setUp(2);
  expect(await status(second)).toMatchObject({ started: 2, greeting: "hello" });
  await call(first, "print", ["this is the first"]);
  await call(second, "print", ["this is the second"]);
  const output = (service: string) => readOutput(join(dataDir, "services", service), 10_000);
  await expect.poll(() => output(first)).toBe("this is the first\n");
  await expect.poll(() => output(second)).toBe("this is the second\n");
  const instance = `${first}@node-1#1`;
  runtime.stop({ type: "StopService", service: first, instance, reason: "test" });
  expect(await seen(first, "ServiceStopped")).toMatchObject({ exit: { code: 0, signal: null } });
  await expect.poll(() => output(first)).toContain("stopping");
  expect(await status(second)).toMatchObject({ started: 2 });
  expect(about(second, "ServiceFailed")).toEqual([]);
});

test.each([
  { message: "throwLater", reason: /^uncaught Error: raised in a timer/, cause: "exception" },
  { message: "reject", reason: /^uncaught Error: nobody caught me/, cause: "exception" },
  { message: "microtask", reason: /^uncaught Error: raised in a microtask/, cause: "exception" },
  { message: "exit", reason: /process\.exit\(7\)/, cause: "exit" },
  { message: "fail", reason: /^by itself/, cause: "announced" },
])(
  "a service that does $message fails alone, and starts again with a fresh module",
  async ({ message, reason, cause }) => {
    const { first, second, start, seen, about, call, status } = await setUp(2);
    await call(first, message, ["by itself"]).catch(() => undefined);
    const failed = await seen(first, "ServiceFailed");
    expect(failed["reason"]).toMatch(reason);
    expect(failed["cause"]).toBe(cause);
    start(first, 2);
    await seen(first, "ServiceStarted", 2);
    expect(await status(first, 2)).toMatchObject({ started: 1 });
    expect(await status(second)).toMatchObject({ started: 2 });
    expect(about(second, "ServiceFailed")).toEqual([]);
  },
);

test("what a service set in motion ends with it", async () => {
  const { first, second, call, seen, about } = await setUp(2);
  const port = await call(first, "listen");
  await call(first, "tick");
  // It may have ended before its answer left.
  await call(first, "fail", ["done"]).catch(() => undefined);
  await seen(first, "ServiceFailed");
  const refused = () =>
    new Promise((resolve) => {
      const socket = connect(Number(port), "127.0.0.1");
      socket.on("connect", () => socket.destroy());
      socket.on("close", (hadError) => resolve(hadError));
      socket.on("error", () => undefined);
    });
  await expect.poll(refused).toBe(true);
  expect(about(second, "ServiceFailed")).toEqual([]);
});

test.each([
  { message: "spin", reason: /^hung/, cause: "hung" },
  { message: "eat", reason: /^memory/, cause: "memory" },
])(
  "a service that does $message ends its thread, which is said of it and not of the others",
  async ({ message, reason, cause }) => {
    const { names, first, second, start, seen, call, status } = await setUp(3);
    void call(first, message).catch(() => undefined);
    const failed = await seen(first, "ServiceFailed");
    expect(failed["reason"]).toMatch(reason);
    expect(failed["cause"]).toBe(cause);
    for (const other of names.slice(1)) {
      const { reason: why, cause: how } = await seen(other, "ServiceFailed");
      expect(why).toContain(`because of ${first}@node-1#1`);
      expect(how).toBe("exit");
    }
    for (const service of names) start(service, 2);
    for (const service of names) await seen(service, "ServiceStarted", 2);
    // It has a thread for itself now, and so a module for itself.
    expect(await status(first, 2)).toMatchObject({ started: 1 });
    expect(await status(second, 2)).toMatchObject({ started: 2 });
  },
);

test("code that runs on after the end of its service ends the thread", async () => {
  const { first, second, call, seen } = await setUp(2);
  await call(first, "outlive");
  // It may have ended before its answer left.
  await call(first, "fail", ["done"]).catch(() => undefined);
  await seen(first, "ServiceFailed");
  const { reason } = await seen(second, "ServiceFailed");
  expect(reason).toContain(`because of ${first}@node-1#1: its code ran on`);
});

test("a thread has at most so many services", async () => {
  const { names, status } = await setUp(limits.sharedServicesMax + 1);
  expect(await status(names[0] ?? "")).toMatchObject({ started: limits.sharedServicesMax });
  expect(await status(names.at(-1) ?? "")).toMatchObject({ started: 1 });
});
