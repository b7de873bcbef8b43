import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServiceManifest } from "@halon/protocol";
import { expect, test } from "vitest";
import { checkArguments } from "../runtime/arguments.ts";
import { checkConfig } from "../runtime/configuration.ts";
import { temporaryDirectory } from "../runtime/testing.ts";
import { compileCluster } from "./compile-cluster.ts";
import { compileServiceFile } from "./compile-service.ts";

/** The manifest of a service file with these fields beside name and version. */
async function compile(fields: string): Promise<ServiceManifest> {
  const path = join(temporaryDirectory(), "it.service.ts");
  writeFileSync(
    path,
    `import { defineService, secret, z } from "@halon/service";
export default defineService({ name: "it", version: "1.0.0", ${fields} });`,
  );
  return (await compileServiceFile(path)).manifest;
}

const start = "start: () => ({})";
const none = "config: z.object({})";

test("what is not written has its default", async () => {
  const manifest = await compile(`${none}, ${start}`);
  expect(manifest).toMatchObject({
    kind: "worker",
    thread: "own",
    requires: [],
    livenessFailures: 3,
    restart: { configTries: 3 },
  });
  expect(manifest.messages).toBeUndefined();
});

test("isolation, threads and what is required are in the manifest", async () => {
  const more = 'requires: ["disk"], livenessFailures: 5, watchers: 2, restart: { configTries: 2 }';
  expect(await compile(`${none}, isolation: "process", ${more}, ${start}`)).toMatchObject({
    kind: "node-process",
    requires: ["disk"],
    livenessFailures: 5,
    watchers: 2,
    restart: { configTries: 2 },
  });
  expect(await compile(`${none}, thread: "shared", ${start}`)).toMatchObject({
    kind: "worker",
    thread: "shared",
  });
});

test("no more than three supervisors of other nodes can be asked for", async () => {
  await expect(compile(`${none}, watchers: 4, ${start}`)).rejects.toThrow("watchers");
});

test("declared messages become schemas of their arguments", async () => {
  const declared =
    "messages: { add: z.tuple([z.number(), z.string().optional()]), ping: z.tuple([]) }";
  const manifest = await compile(`${none}, ${declared}, ${start}`);
  expect(Object.keys(manifest.messages ?? {})).toEqual(["add", "ping"]);
  expect(checkArguments(manifest, "add", [1])).toEqual([1]);
  expect(() => checkArguments(manifest, "add", ["x"])).toThrow("argument 1");
  expect(() => checkArguments(manifest, "ping", [1])).toThrow("ping");
});

test("liveness and the stop command of an OS process are in the manifest", async () => {
  const process = `process: { command: ["x"], liveness: { type: "tcp", port: "{config.port}" }, stopCommand: ["x", "stop"] }`;
  const manifest = await compile(`config: z.object({ port: z.number() }), ${process}`);
  expect(manifest.process).toMatchObject({
    liveness: { type: "tcp", port: "{config.port}" },
    stopCommand: ["x", "stop"],
  });
});

test("a systemd unit is named by a template", async () => {
  const manifest = await compile(
    'config: z.object({ site: z.string() }), systemd: { unit: "nginx@{config.site}.service" }',
  );
  expect(manifest).toMatchObject({
    kind: "systemd",
    systemd: { unit: "nginx@{config.site}.service" },
  });
});

test("a configuration has references where the type has secrets, at whatever depth", async () => {
  const manifest = await compile(
    `config: z.object({ key: secret().min(8), db: z.object({ password: secret().optional() }), user: z.string().default("ada") }), ${start}`,
  );
  const key = { $secret: "file:/etc/key" };
  expect(checkConfig(manifest, { key, db: {} })).toEqual({
    type: "valid",
    config: { key, db: {}, user: "ada" },
  });
  expect(checkConfig(manifest, { key, db: { password: "hunter2" } })).toEqual({
    type: "invalid",
    reason: expect.stringMatching(/^config\.db\.password is a secret: (?!.*hunter2)/),
  });
  expect(checkConfig(manifest, { db: {} })).toMatchObject({ type: "invalid" });
  expect(checkConfig(manifest, { key: { $secret: "file:no" }, db: {} }).type).toBe("invalid");
});

test("a secret may stand in the environment of a process", async () => {
  const manifest = await compile(
    'config: z.object({ key: secret() }), process: { command: ["x"], env: { KEY: "{config.key}" } }',
  );
  expect(manifest.process?.env).toEqual({ KEY: "{config.key}" });
});

test.each([
  ["command", 'process: { command: ["x", "--key={config.key}"] }'],
  ["stopCommand", 'process: { command: ["x"], stopCommand: ["y", "{config.key}"] }'],
  ["check", 'process: { command: ["x"], check: { type: "http", url: "http://a/{config.key}" } }'],
  ["unit", 'systemd: { unit: "a-{config.key}.service" }'],
])("a secret in %s is refused", async (part, fields) => {
  await expect(compile(`config: z.object({ key: secret() }), ${fields}`)).rejects.toMatchObject({
    code: "HAL_CONFIG_INVALID",
    message: expect.stringContaining(`${part} names {config.key}, which is a secret`),
  });
});

test.each([
  ["an unknown name", 'command: ["x", "{nope}"]', "command names {nope}, which stands for nothing"],
  ["a program's braces", 'command: ["awk", "{ print }"]', "and {{ for a brace"],
  ["an open brace", 'command: ["x"], env: { A: "{ open" }', 'env has "{ open"'],
  ["an unknown field", 'command: ["x", "{config.nope}"]', "config has no fields"],
  [
    "a group that the pattern lacks",
    'command: ["x"], ready: { type: "output", pattern: "(?<port>.)", acquire: { kind: "P", id: "{url}" } }',
    "ready names {url}",
  ],
  [
    "a pattern that is none",
    'command: ["x"], ready: { type: "output", pattern: "((" }',
    "process.ready.pattern is no regular expression",
  ],
])("%s in a template is refused before anything starts", async (_, process, message) => {
  await expect(compile(`${none}, process: { ${process} }`)).rejects.toMatchObject({
    code: "HAL_CONFIG_INVALID",
    message: expect.stringContaining(message),
  });
});

test("a template may name what stands for something, and the groups of its pattern", async () => {
  const ready =
    'ready: { type: "output", pattern: "(?<port>[0-9]{2,5})", acquire: { kind: "P", id: "{node}-{port}" } }';
  const env = 'env: { A: "{instance}{service}{directory}{token}{{x}" }';
  await compile(
    `${none}, resources: { P: z.object({}) }, process: { command: ["x"], ${env}, ${ready} }`,
  );
});

test.each([
  ["a field", 'z.object({ key: secret().default("hunter2") })'],
  [
    "an object around it",
    'z.object({ db: z.object({ key: secret() }).default({ key: "hunter2" }) })',
  ],
])("a default of %s is refused", async (_, config) => {
  await expect(compile(`config: ${config}, ${start}`)).rejects.toMatchObject({
    code: "HAL_CONFIG_INVALID",
    message: expect.stringContaining("has a default for a secret"),
  });
});

test.each([
  ["a kind that does not exist", `${none}, isolation: "jail", ${start}`, "isolation"],
  [
    "a shared thread of a process",
    `${none}, isolation: "process", thread: "shared", ${start}`,
    "Remove one",
  ],
  [
    "the thread of an OS process",
    `${none}, thread: "own", process: { command: ["x"] }`,
    'unknown field "thread"',
  ],
  [
    "a name that no message can have",
    `${none}, messages: { "a b": z.tuple([]) }, ${start}`,
    "names of",
  ],
  ["a configuration that is no object", `config: z.string(), ${start}`, "z.object({…})"],
  ["a message without a tuple", `${none}, messages: { a: z.string() }, ${start}`, "messages.a"],
  ["no config", start, "needs config"],
  ["two kinds", `${none}, ocf: "ocf:a:b", process: { command: ["x"] }`, "needs one of these"],
  ["a required type that is no name", `${none}, requires: ["A b"], ${start}`, "requires"],
])("%s is refused", async (_, fields, message) => {
  await expect(compile(fields)).rejects.toMatchObject({
    code: "HAL_CONFIG_INVALID",
    message: expect.stringContaining(message),
  });
});

const dummy = "/usr/lib/ocf/resource.d/heartbeat/Dummy";

test.skipIf(!existsSync(dummy))(
  "an OCF agent gives configuration, actions and deadlines (needs Debian's resource-agents)",
  async () => {
    const manifest = await compile('ocf: "ocf:heartbeat:Dummy", stopTimeout: "7s"');
    expect(manifest).toMatchObject({
      kind: "ocf",
      ocf: { agent: "ocf:heartbeat:Dummy", actions: { monitor: { timeoutMs: 20_000 } } },
      startTimeoutMs: 20_000,
      stopTimeoutMs: 7_000,
      checkEveryMs: 10_000,
      checkTimeoutMs: 20_000,
    });
    expect(Object.keys(manifest.configurationSchema["properties"] ?? {})).toContain("state");
  },
);

test("an OCF agent that is not there says so, and which package has agents", async () => {
  await expect(compile('ocf: "ocf:heartbeat:NoSuchAgent"')).rejects.toMatchObject({
    code: "HAL_CONFIG_INVALID",
    message: expect.stringContaining("resource-agents"),
  });
});

test("a default that its own schema refuses is refused with the field", async () => {
  const directory = temporaryDirectory();
  const config = "z.object({ size: z.number().min(5).default(1) })";
  writeFileSync(
    join(directory, "it.service.ts"),
    `import { defineService, z } from "@halon/service";
export default defineService({ name: "it", version: "1.0.0", config: ${config}, ${start} });`,
  );
  const file = { services: [{ type: "./it.service.ts" }] };
  await expect(compileCluster(file, directory, { prune: false })).rejects.toMatchObject({
    code: "HAL_SCHEMA_VIOLATION",
    message: expect.stringContaining("services[0].config.size"),
  });
});
