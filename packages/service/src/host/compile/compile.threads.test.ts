import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createRuntime } from "../runtime/create-runtime.ts";
import { createEventLog, temporaryDirectory } from "../runtime/testing.ts";
import { startWorker } from "../worker/start-worker.ts";
import { compileClusterFile } from "./compile-cluster.ts";
import { compileServiceFile } from "./compile-service.ts";
import { linkPackages } from "./links.ts";

const head = 'import { defineCluster, defineService, file, z } from "@halon/service";\n';
const ping = `${head}import { greet } from "./lib/greet.ts";
export default defineService({
  name: "ping", version: "1.0.0",
  config: z.object({ greeting: z.string().default("pong"), times: z.number().default(1) }),
  resources: { TcpPort: z.object({ port: z.number() }) },
  restart: { resetAfter: "500ms" },
  start: ({ config }) => ({ status: () => greet(config.greeting), messages: { ping: (name: string) => greet(name) } }),
});`;
const web = `${head}
export default defineService({
  name: "web", version: "1.0.0", config: z.object({ port: z.number().int() }),
  process: { command: ["node", file("./server.mjs"), "--port", "{config.port}"], ready: { type: "output", pattern: /ready/ } },
});`;

function write(files: Readonly<Record<string, string>>): string {
  const directory = temporaryDirectory();
  const all = {
    "lib/greet.ts": "export const greet = (name: string): string => 'hi '.concat(name);",
    "server.mjs": "console.log('ready');",
    "ping.service.ts": ping,
    "web.service.ts": web,
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

test("equal sources give equal hashes wherever they stand", async () => {
  const one = await compileServiceFile(join(write({}), "ping.service.ts"));
  const two = await compileServiceFile(join(write({}), "ping.service.ts"));
  expect(one.manifest).toEqual(two.manifest);
  expect(one.manifest).toMatchObject({
    name: "ping",
    serviceName: "ping",
    kind: "worker",
    restart: { resetAfterMs: 500, backoffMs: 100, maxFailures: 5 },
    startTimeoutMs: 10_000,
    checkEveryMs: 2_000,
    memoryMb: 128,
  });
  expect(Object.keys(one.manifest.resources)).toEqual(["TcpPort"]);
});

test("a file of an OS process becomes a blob, and the command names it by hash", async () => {
  const { manifest, blobs } = await compileServiceFile(join(write({}), "web.service.ts"));
  const [, second] = blobs;
  expect(manifest.files).toEqual([second?.hash]);
  expect(manifest.process?.command).toEqual([
    "node",
    `{blob:${second?.hash}}`,
    "--port",
    "{config.port}",
  ]);
  expect(manifest.process).toMatchObject({
    ready: { type: "output", pattern: "ready" },
    stopSignal: "SIGTERM",
  });
});

test("a cluster file becomes a spec with defaults applied, and its service runs from the blob", async () => {
  const directory = write({
    "cluster.ts": `${head}export default defineCluster({ services: [
      { type: "./ping.service.ts", on: "every-node", config: { greeting: "ada" } },
      { type: "./web.service.ts", name: "web-a", on: { label: "zone=a" }, replicas: 2, config: { port: 0 } },
      { type: "known", name: "other", config: { a: 1 } } ] });`,
  });
  const { spec, blobs } = await compileClusterFile(join(directory, "cluster.ts"), { prune: true });
  expect(spec.prune).toBe(true);
  expect(spec.deployments).toMatchObject([
    { name: "ping", on: "every-node", config: { greeting: "ada", times: 1 }, onNodeLoss: "move" },
    { name: "web-a", type: "web", replicas: 2 },
    { name: "other", type: "known", on: "any-node" },
  ]);
  const dataDir = temporaryDirectory();
  linkPackages(dataDir);
  linkPackages(dataDir);
  mkdirSync(join(dataDir, "blobs"));
  const blobPath = (hash: string) => join(dataDir, "blobs", `${hash}.mjs`);
  for (const { hash, bytes } of blobs) writeFileSync(blobPath(hash), bytes);
  const events = createEventLog();
  const runtime = createRuntime({
    node: "node-1",
    dataDir,
    blobPath,
    emit: events.emit,
    runners: { worker: startWorker },
    now: () => performance.now(),
  });
  const [deployment] = spec.deployments;
  const [manifest] = spec.types;
  if (deployment === undefined || manifest === undefined) throw new Error("nothing compiled");
  const { config, configHash } = deployment;
  const at = { service: "ping", instance: "ping@node-1#1" };
  runtime.start({ type: "StartService", ...at, manifest, config, configHash }, "1.0");
  await events.next("ServiceStarted");
  runtime.reportStatus({ type: "ReportStatus", ...at }, "1.1");
  expect(await events.next("ServiceReported")).toMatchObject({ report: "hi ada" });
  await runtime.shutdown({ keep: false });
});

const rulesText = 'import { defineRules } from "@halon/rules";\nexport default defineRules({});';
const cluster = (services: string) => ({
  "cluster.ts": `${head}export default defineCluster({ services: [${services}] });`,
});
const service = (body: string) => ({ "ping.service.ts": `${head}${body}` });
const good = '{ type: "./ping.service.ts" }';

test.each([
  {
    name: "a wrong type is named by its path",
    files: cluster(`${good}, { type: "known", replicas: "two" }`),
    code: "HAL_CONFIG_INVALID",
    message: 'services[1].replicas: expected number, got "two"',
  },
  {
    name: "an unknown field is named with what is allowed",
    files: cluster('{ type: "known", replica: 2 }'),
    code: "HAL_CONFIG_INVALID",
    message: 'services[0]: unknown field "replica"; allowed are type, name, on, replicas',
  },
  {
    name: "an exclusive service with replicas",
    files: cluster('{ type: "known", exclusive: "cluster", replicas: 2 }'),
    code: "HAL_CONFIG_INVALID",
    message: "deployment known is exclusive and has 2 replicas",
  },
  {
    name: "a configuration that its schema refuses",
    files: cluster('{ type: "./ping.service.ts", config: { times: "x" } }'),
    code: "HAL_SCHEMA_VIOLATION",
    message: "services[0].config.times",
  },
  {
    name: "a configuration with an unknown field",
    files: cluster('{ type: "./ping.service.ts", config: { grating: "x" } }'),
    code: "HAL_SCHEMA_VIOLATION",
    message: "grating",
  },
  {
    name: "two services of one name",
    files: cluster(`${good}, ${good}`),
    code: "HAL_CONFIG_INVALID",
    message: 'two services are called "ping"',
  },
  {
    name: "two rule files of one name",
    files: {
      "cluster.ts": `${head}export default defineCluster({ services: [], rules: ["./a.rules.ts", "./sub/a.rules.ts"] });`,
      "a.rules.ts": rulesText,
      "sub/a.rules.ts": rulesText,
    },
    code: "HAL_CONFIG_INVALID",
    message: 'two rule files are called "a"',
  },
  {
    name: "an option that the schema of the rule file refuses",
    files: {
      "cluster.ts": `${head}export default defineCluster({ rules: [{ file: "./a.rules.ts", options: { n: "x" } }] });`,
      "a.rules.ts":
        'import { defineRules, z } from "@halon/rules";\nexport default defineRules((o) => ({}), { options: z.strictObject({ n: z.number() }) });',
    },
    code: "HAL_CONFIG_INVALID",
    message: 'a.rules.ts: options.n: expected number, got "x". The file takes n (number, required)',
  },
  {
    name: "an unknown field of a rule file",
    files: {
      "cluster.ts": `${head}export default defineCluster({ rules: [{ file: "./a.rules.ts", option: {} }] });`,
    },
    code: "HAL_CONFIG_INVALID",
    message: "rules[0]",
  },
  {
    name: "a rule file that is called as Halon's own rules",
    files: {
      "cluster.ts": `${head}export default defineCluster({ services: [], rules: ["./builtin.rules.ts"] });`,
      "builtin.rules.ts": rulesText,
    },
    code: "HAL_CONFIG_INVALID",
    message: 'the rules of Halon itself are called "builtin"',
  },
  {
    name: "a syntax error is named by file and line",
    files: { ...cluster(good), ...service("const x = ;") },
    code: "HAL_COMPILE_FAILED",
    message: "ping.service.ts:2:11",
  },
  {
    name: "a file that throws is named by file and line",
    files: { ...cluster(good), ...service('\n\nthrow new Error("no good");') },
    code: "HAL_COMPILE_FAILED",
    message: "ping.service.ts:4 throws while it loads: Error: no good",
  },
  {
    name: "a file that exports nothing",
    files: { ...cluster(good), ...service("export const x = 1;") },
    code: "HAL_CONFIG_INVALID",
    message: "export default defineService",
  },
  {
    name: "a template that names no field of the configuration",
    files: {
      ...cluster(good),
      ...service(
        'export default defineService({ name: "ping", version: "1.0.0", config: z.object({ port: z.number() }), process: { command: ["x", "{config.prot}"] } });',
      ),
    },
    code: "HAL_CONFIG_INVALID",
    message: "{config.prot}, and config has port",
  },
  {
    name: "a file that ends the process",
    files: { ...cluster(good), ...service("process.exit(3);") },
    code: "HAL_COMPILE_FAILED",
    message: "exit code 3",
  },
])("$name", async ({ files, code, message }) => {
  const path = join(write(files), "cluster.ts");
  const error = await compileClusterFile(path, { prune: false }).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toContain(message);
});

test("a file that spins is ended at its deadline", async () => {
  const path = join(write(service("for (;;);")), "ping.service.ts");
  await expect(compileServiceFile(path)).rejects.toMatchObject({
    code: "HAL_COMPILE_FAILED",
    message: expect.stringContaining("does not load within 5000 ms"),
  });
});
