import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listMarked } from "../process/mark.ts";
import { isRunning, type ProcessId, readEnvironment, readStat } from "../process/proc.ts";
import { type Home, openHome, until } from "../process/testing.ts";
import { createRuntime } from "../runtime/create-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createEventLog, manifestOf, startAction, temporaryDirectory } from "../runtime/testing.ts";
import { startNodeProcess } from "./start-node-process.ts";

const fixtures = new URL("../../../testdata/workers/", import.meta.url);
const running: Runtime[] = [];

afterEach(async () => {
  for (const runtime of running.splice(0)) await runtime.shutdown({ keep: false });
});

const kind = "node-process";
const at = { service: "good", instance: "good@node-1#1" };

function setUp(fixture: string) {
  const events = createEventLog();
  const dataDir = temporaryDirectory();
  const runtime = createRuntime({
    node: "node-1",
    dataDir,
    blobPath: () => new URL(`${fixture}.mjs`, fixtures).pathname,
    emit: events.emit,
    runners: { "node-process": startNodeProcess },
    now: () => performance.now(),
  });
  running.push(runtime);
  return { runtime, events, directory: join(dataDir, "services", "good") };
}

async function setUpGood(changes: Parameters<typeof manifestOf>[0] = {}) {
  const host = setUp("good");
  const manifest = manifestOf({ kind, checkEveryMs: 60_000, ...changes });
  host.runtime.start(startAction(1, manifest, { greeting: "hello" }), "1.0");
  const { osPid = 0 } = await host.events.next("ServiceStarted");
  const call = (message: string, args: string[] = []) =>
    host.runtime.call("good@node-1#1", message, args, 1_000);
  const stat = readStat(osPid);
  if (stat === undefined) throw new Error("the process is not there");
  const id: ProcessId = { pid: osPid, startTime: stat.startTime };
  return { ...host, call, id, stat };
}

test("a service runs in a process and a session of its own, answers, and stops when it is asked to", async () => {
  const { runtime, events, call, id, stat, directory } = await setUpGood();
  expect(stat).toMatchObject({ group: id.pid, session: id.pid });
  expect(await events.next("ResourceAcquired")).toMatchObject({ kind: "Ticket", id: "t-1" });
  expect(await call("ping", ["ada"])).toBe("hello, ada");
  const config = { greeting: "hi" };
  const configHash = "3".repeat(64);
  runtime.reconfigure({ type: "ReconfigureService", ...at, config, configHash }, "1.1");
  expect(await events.next("ServiceReconfigured")).toMatchObject({ command: "1.1" });
  expect(await call("ping", ["ada"])).toBe("hi, ada");
  runtime.stop({ type: "StopService", ...at, reason: "test" }, "1.3");
  expect(await events.next("ServiceStopped")).toMatchObject({
    command: "1.3",
    exit: { code: 0, signal: null },
  });
  expect(isRunning(id)).toBe(false);
  expect(readFileSync(join(directory, "output.log"), "utf8")).toContain("stopping");
  expect(existsSync(join(directory, "node.sock"))).toBe(false);
});

test("it sees nothing of the environment of halond, and not the key to its channel", async () => {
  process.env["HALON_TEST_SECRET"] = "hidden";
  const { runtime, events, id } = await setUpGood();
  delete process.env["HALON_TEST_SECRET"];
  runtime.reportStatus({ type: "ReportStatus", ...at }, "1.2");
  const { report } = await events.next("ServiceReported");
  const marks = ["HALON_HOME", "HALON_INSTANCE", "HALON_NODE", "HALON_SERVICE"];
  expect((report as { secrets: string[] }).secrets.sort()).toEqual(marks);
  expect(readEnvironment(id.pid)?.has("HALON_TEST_SECRET")).toBe(false);
});

test.each([
  { fixture: "throws-on-load", code: "HAL_SERVICE_LOAD", reason: "no good at all" },
  { fixture: "throws-at-start", code: "HAL_SERVICE_START", reason: "port is taken" },
  { fixture: "exits-at-once", code: "HAL_SERVICE_START", reason: "exited with code 3" },
  { fixture: "spins-on-load", code: "HAL_SERVICE_NOT_READY", reason: "not ready within 1500 ms" },
])("$fixture: the service could not start, with $code", async ({ fixture, code, reason }) => {
  const { runtime, events } = setUp(fixture);
  const startTimeoutMs = code === "HAL_SERVICE_NOT_READY" ? 1_500 : 10_000;
  runtime.start(startAction(1, manifestOf({ kind, startTimeoutMs })), "1.0");
  const could = await events.next("ServiceCouldNotStart");
  expect(could).toMatchObject({ ...at, command: "1.0", code });
  expect(could.reason).toContain(reason);
  expect(runtime.inventory()).toEqual([]);
});

test.each([
  { message: "exit", reason: /code 7/, cause: "exit" },
  { message: "reject", reason: /nobody caught me/, cause: "exception" },
  { message: "eat", reason: /^memory/, cause: "memory" },
  { message: "buffers", reason: /^memory/, cause: "memory" },
  { message: "spin", reason: /^hung/, cause: "hung" },
  { message: "fail", reason: /^by itself/, cause: "announced" },
])("a running service that does $message fails with cause $cause", async (row) => {
  const { runtime, events, call, id } = await setUpGood();
  const answer = call(row.message, ["by itself"]).catch((error: unknown) => error);
  const failed = await events.next("ServiceFailed");
  expect(failed).toMatchObject({ ...at, cause: row.cause });
  expect(failed.reason).toMatch(row.reason);
  await answer;
  expect(isRunning(id)).toBe(false);
  expect(runtime.inventory()).toEqual([]);
});

test("one that is stopped by a signal hangs, as it sends no beats", async () => {
  const { events, id } = await setUpGood();
  process.kill(id.pid, "SIGSTOP");
  expect(await events.next("ServiceFailed")).toMatchObject({ cause: "hung" });
  expect(isRunning(id)).toBe(false);
});

describe("when halond is killed", () => {
  const parentFile = fileURLToPath(
    new URL("../../../testdata/node-process/parent.mjs", import.meta.url),
  );
  let home: Home;
  beforeEach(() => {
    home = openHome();
  });
  afterEach(() => home.close());

  test.each(["idle", "spin"])("its Node process ends, when it is %s too", async (how) => {
    const manifest = { kind, resources: { Ticket: {} } } as const;
    const spec = home.spec({}, { service: "s".repeat(120), manifest });
    const file = new URL("good.mjs", fixtures).pathname;
    const parent = spawn(process.execPath, [parentFile, JSON.stringify(spec), file, how], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(parent.stdout, "data", { signal: AbortSignal.timeout(10_000) });
    const pid = Number(String(line));
    const stat = readStat(pid);
    if (stat === undefined) throw new Error(`there is no process ${pid}`);
    parent.kill("SIGKILL");
    await until("it has ended", () => !isRunning(stat));
    expect(listMarked(home.path)).toEqual([]);
  });
});
