import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type JsonObject, type ServiceManifest, secretKeyword } from "@halon/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { secret, z } from "../../index.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { createRuntime } from "./create-runtime.ts";
import type { RuntimeEvent } from "./runtime.ts";
import { configValuesOf } from "./secrets.ts";
import { manifestOf, startAction, temporaryDirectory } from "./testing.ts";

afterEach(() => void vi.unstubAllEnvs());

const value = "correct horse battery staple";
const hidden = { $secret: "env:HALON_TEST_SECRET" };

function written(text: string | Uint8Array): string {
  const path = join(temporaryDirectory(), "key");
  writeFileSync(path, text);
  return path;
}

const read = (path: string) => configValuesOf({ key: { $secret: `file:${path}` } })()["key"];

test("the keyword of the helper is that of the protocol", () => {
  expect(z.toJSONSchema(secret())).toMatchObject({ [secretKeyword]: true });
});

test.each([
  ["a file as it is", "abc", "abc"],
  ["a file without its last newline", "abc\n", "abc"],
  ["a file of another system", "abc\r\n", "abc"],
  ["a file with further newlines", "a\n\nb\n\n", "a\n\nb\n"],
])("%s is the value", (_, text, expected) => {
  expect(read(written(text))).toBe(expected);
});

test("a variable is the value, wherever the reference stands", () => {
  vi.stubEnv("HALON_TEST_SECRET", value);
  expect(configValuesOf({ a: [{ b: hidden }], c: 1 })()).toEqual({ a: [{ b: value }], c: 1 });
});

test("it is read once: a file that changes later gives no second value", () => {
  const path = written("one");
  const values = configValuesOf({ key: { $secret: `file:${path}` } });
  expect(values()).toEqual({ key: "one" });
  writeFileSync(path, "two");
  expect(values()).toEqual({ key: "one" });
});

test.each([
  ["a file that is not there", () => "/nowhere/key", "there is no such file"],
  ["a directory", () => temporaryDirectory(), "not a regular file"],
  ["a file that is too large", () => written("x".repeat(65_537)), "more than 65536 bytes"],
  ["a file that is no text", () => written(Uint8Array.of(0xff, 0xfe, 0x00)), "not text in UTF-8"],
  [
    "a pipe, without waiting for who writes into it",
    () => {
      const path = join(temporaryDirectory(), "pipe");
      execFileSync("mkfifo", [path]);
      return path;
    },
    "not a regular file",
  ],
])("%s is refused by its name", (_, make, reason) => {
  const path = make();
  expect(() => read(path)).toThrow(`the secret file:${path} cannot be read on this node: `);
  expect(() => read(path)).toThrow(reason);
});

test("a file of the largest size is taken", () => {
  expect(String(read(written("x".repeat(65_536)))).length).toBe(65_536);
});

const configurationSchema = {
  type: "object",
  properties: { key: { type: "object", [secretKeyword]: true }, user: { type: "string" } },
} as const;
const manifest = (changes: Partial<ServiceManifest> = {}) =>
  manifestOf({ configurationSchema, schemaHash: "7".repeat(64), ...changes });

/** A runtime whose one runner does nothing by itself. */
function setUp() {
  const events: RuntimeEvent[] = [];
  const specs: RunnerSpec[] = [];
  const reconfigured: JsonObject[] = [];
  let tell: (event: RunnerEvent) => void = () => undefined;
  const runnerOf = (spec: RunnerSpec, listener: (event: RunnerEvent) => void): Runner => {
    specs.push(spec);
    tell = listener;
    return {
      osPid: undefined,
      requestStop: () => undefined,
      kill: () => undefined,
      check: async () => ({ health: "warn", detail: `the key ${value} is old` }),
      status: async () => ({ config: spec.configValues() }),
      reconfigure: async (config) => {
        if (config["user"] === "nobody") throw new Error(`nobody may use ${value}`);
        reconfigured.push(config);
        return "done";
      },
      call: async () => {
        throw new Error(`no call with ${value}`);
      },
      silentMs: () => undefined,
      memoryMb: () => undefined,
      release: () => true,
    };
  };
  const dataDir = temporaryDirectory();
  const runtime = createRuntime({
    node: "node-1",
    dataDir,
    blobPath: (hash) => hash,
    emit: (event) => void events.push(event),
    runners: { worker: runnerOf },
    now: () => performance.now(),
  });
  const start = (config: JsonObject) => runtime.start(startAction(1, manifest(), config), "1.0");
  return { runtime, events, specs, reconfigured, start, tell: (event: RunnerEvent) => tell(event) };
}

test("a runner has the reference to show and the value to use", async () => {
  vi.stubEnv("HALON_TEST_SECRET", value);
  const { runtime, specs, start } = setUp();
  start({ key: hidden, user: "ada" });
  const [spec] = specs;
  expect(spec?.config).toEqual({ key: hidden, user: "ada" });
  expect(JSON.stringify(spec)).not.toContain(value);
  expect(spec?.configValues()).toEqual({ key: value, user: "ada" });
  await runtime.shutdown({ keep: true });
});

test("a secret that cannot be read is a start that failed, and names the reference", async () => {
  const { runtime, events, specs, start } = setUp();
  start({ key: { $secret: "env:HALON_NOT_THERE" } });
  expect(specs).toEqual([]);
  expect(events).toMatchObject([
    {
      type: "ServiceCouldNotStart",
      data: {
        command: "1.0",
        code: "HAL_CONFIG_INVALID",
        reason: expect.stringContaining("the secret env:HALON_NOT_THERE cannot be read"),
      },
    },
  ]);
  await runtime.shutdown({ keep: true });
});

test("a value in the place of a reference starts nothing, and is not repeated", async () => {
  const { runtime, events, specs, start } = setUp();
  start({ key: value });
  expect(specs).toEqual([]);
  expect(events).toMatchObject([{ data: { code: "HAL_SCHEMA_VIOLATION" } }]);
  expect(JSON.stringify(events)).not.toContain(value);
  await runtime.shutdown({ keep: true });
});

test("what a service says of its secret is not told: failures, health, status, troubles, resources", async () => {
  vi.stubEnv("HALON_TEST_SECRET", value);
  const { runtime, events, start, tell } = setUp();
  const at = { service: "good", instance: "good@node-1#1" };
  start({ key: hidden });
  tell({ type: "ready" });
  runtime.check({ type: "CheckService", ...at }, "1.1");
  runtime.reportStatus({ type: "ReportStatus", ...at }, "1.2");
  await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain("ServiceReported"));
  tell({ type: "acquired", kind: "Ticket", id: "t", attributes: { via: `x${value}y` } });
  tell({ type: "trouble", ref: "1", code: "DB", reason: `refused ${value}`, data: [value] });
  tell({ type: "problem", code: "HAL_FAILED", reason: `login with ${value} failed` });
  tell({ type: "exited", exit: { code: 1, signal: null }, reason: `threw ${value}` });
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining([
      "ServiceChecked",
      "ResourceAcquired",
      "ServiceTrouble",
      "ServiceFailed",
    ]),
  );
  expect(JSON.stringify(events)).not.toContain(value);
  expect(events.at(-1)).toMatchObject({ data: { reason: "login with (secret) failed" } });
  await runtime.shutdown({ keep: true });
});

test("errors of a service have no secret: of a call, and of a configuration that it refuses", async () => {
  vi.stubEnv("HALON_TEST_SECRET", value);
  const { runtime, events, start, tell } = setUp();
  const at = { service: "good", instance: "good@node-1#1" };
  start({ key: hidden });
  tell({ type: "ready" });
  await expect(runtime.call(at.instance, "any", [], 1_000)).rejects.toThrow(
    "no call with (secret)",
  );
  const config = { key: hidden, user: "nobody" };
  const action = { type: "ReconfigureService", ...at, config, configHash: "3".repeat(64) } as const;
  runtime.reconfigure(action, "1.1");
  await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain("CommandRefused"));
  const refused = events.find(({ type }) => type === "CommandRefused");
  expect(refused).toMatchObject({ data: { reason: "nobody may use (secret)" } });
  await runtime.shutdown({ keep: true });
});

test("one that reconfigures itself gets the value, and what it changes goes back to the reference", async () => {
  vi.stubEnv("HALON_TEST_SECRET", value);
  const { runtime, events, reconfigured, start, tell } = setUp();
  const at = { service: "good", instance: "good@node-1#1" };
  start({ key: hidden });
  tell({ type: "ready" });
  const config = { key: hidden, user: "ada" };
  runtime.reconfigure(
    { type: "ReconfigureService", ...at, config, configHash: "3".repeat(64) },
    "1.1",
  );
  await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain("ServiceReconfigured"));
  expect(reconfigured).toEqual([{ key: value, user: "ada" }]);
  tell({ type: "reconfigured", config: { key: value, user: "bob" } });
  expect(events.at(-1)).toMatchObject({
    type: "ServiceReconfigured",
    data: { config: { key: hidden, user: "bob" } },
  });
  expect(JSON.stringify(events)).not.toContain(value);
  await runtime.shutdown({ keep: true });
});

test("one that changes its secret to another value is warned, without the value, and keeps the reference", async () => {
  vi.stubEnv("HALON_TEST_SECRET", value);
  const { runtime, events, start, tell } = setUp();
  start({ key: hidden });
  tell({ type: "ready" });
  tell({ type: "reconfigured", config: { key: "another password" } });
  expect(events.at(-1)).toMatchObject({ type: "ServiceHealthChanged", data: { health: "warn" } });
  expect(JSON.stringify(events)).not.toContain("another password");
  await runtime.shutdown({ keep: true });
});

test("a file that the user of halond may not read says so", () => {
  const directory = join(temporaryDirectory(), "locked");
  mkdirSync(directory);
  const path = join(directory, "key");
  writeFileSync(path, value);
  chmodSync(path, 0o000);
  // The administrator may read everything.
  if (process.geteuid?.() === 0) expect(read(path)).toBe(value);
  else expect(() => read(path)).toThrow("may not read it (EACCES)");
});
