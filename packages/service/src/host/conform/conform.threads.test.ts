import { type AddressInfo, createServer } from "node:net";
import { afterAll, expect, test } from "vitest";
import { hasDebianAgents, testAgents } from "../ocf/testing.ts";
import { conformService } from "./conform.ts";
import type { CheckName, ConformReport } from "./report.ts";
import { dropServiceFiles, serviceFile } from "./testing.ts";

afterAll(dropServiceFiles);

const seconds = 1_000;
const failedOf = ({ checks }: ConformReport) =>
  checks.filter(({ outcome }) => outcome === "failed" || outcome === "warned");
const skippedOf = ({ checks }: ConformReport) =>
  checks.filter(({ outcome }) => outcome === "skipped").map(({ check }) => check);

const good = `
  config: z.object({
    greeting: z.string().default("pong"),
    level: z.enum(["low", "high"]).default("low"),
    count: z.number().int().min(1).max(9),
    loud: z.boolean().default(false),
    password: secret(),
  }),
  resources: { Port: z.object({ port: z.number() }) },
  messages: { ping: z.tuple([z.string()]), fail: z.tuple([]) },
  async start(context) {
    let config = context.config;
    const server = createServer((_, response) => response.end("hello"));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    context.acquire("Port", "main", { port: server.address().port });
    return {
      check: () => ({ health: "ok" }),
      status: () => ({ greeting: config.greeting, level: config.level, count: config.count }),
      reconfigure: (next) => { config = next; },
      messages: { ping: (name) => config.greeting + name, fail: () => { throw new Error("no"); } },
      stop: () => new Promise((resolve) => {
        context.release("Port", "main");
        server.close(resolve);
        server.closeAllConnections();
      }),
    };
  },`;

test.each(["", 'thread: "shared",', 'isolation: "process",'])(
  "a service in code that keeps the contract passes all checks (%s)",
  async (how) => {
    const report = await conformService(serviceFile(`${how} ${good}`));
    expect(failedOf(report)).toEqual([]);
    expect(skippedOf(report)).toEqual(["agent"]);
  },
  180 * seconds,
);

/** Listens on a port, and answers with a text. */
const program =
  "const [, port, text] = process.argv; const server = require('http').createServer((q, r) => r.end(text)); server.listen(Number(port), '127.0.0.1', () => console.log('port ' + server.address().port))";
const server = (port: number) => `
  config: z.object({ text: z.enum(["one", "two"]).default("one") }),
  resources: { Port: z.object({ port: z.number() }) },
  process: {
    command: ["node", "-e", ${JSON.stringify(program.replaceAll("{", "{{"))}, "${port}", "{config.text}"],
    ready: { type: "output", pattern: /^port (?<port>\\d+)$/, acquire: { kind: "Port", id: "{instance}", attributes: { port: "{port}" } } },
  },`;

test(
  "an OS process that keeps the contract passes all checks",
  async () => {
    const report = await conformService(serviceFile(server(0)));
    expect(failedOf(report)).toEqual([]);
    expect(skippedOf(report)).toEqual(["messages", "agent"]);
  },
  180 * seconds,
);

test("two names that clash are a warning", async () => {
  const report = await conformService(serviceFile(server(await freePort())), { only: "two-names" });
  expect(failedOf(report)).toMatchObject([{ check: "two-names", outcome: "warned" }]);
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const listener = createServer();
    listener.listen(0, "127.0.0.1", () => {
      const { port } = listener.address() as AddressInfo;
      listener.close(() => resolve(port));
    });
  });
}

const none = "config: z.object({}),";
const code = (start: string) => `${none} start: ${start},`;
const shell = (script: string) =>
  `${none} process: { command: ["/bin/sh", "-c", ${JSON.stringify(script)}] },`;
const tuple = "messages: { add: z.tuple([z.number()]) },";

/** What breaks, the file, the check that has to find it, and what it has to say. */
const broken: readonly (readonly [string, string, CheckName, RegExp])[] = [
  [
    "bounds that exclude all",
    "config: z.object({ port: z.number().min(10).max(5) }), start: () => ({}),",
    "loads",
    /config\.port: no number is at least 10 and at most 5/,
  ],
  [
    "a default that does not fit",
    'config: z.object({ name: z.string().min(9).default("short") }), start: () => ({}),',
    "loads",
    /config\.name: its default "short"/,
  ],
  [
    "a field that takes nothing",
    "config: z.object({ name: z.never() }), start: () => ({}),",
    "loads",
    /name is required and takes no value/,
  ],
  [
    "two types at once",
    "config: z.object({ name: z.intersection(z.string(), z.number()) }), start: () => ({}),",
    "loads",
    /config\.name: nothing is a string and a number/,
  ],
  [
    "a message that nobody can call",
    `${none} messages: { add: z.tuple([z.string().min(3).max(2)]) }, start: () => ({}),`,
    "loads",
    /messages\.add\[0\]: no text/,
  ],
  ["a start that throws", code("() => { throw new Error('no disk'); }"), "starts", /no disk/],
  [
    "one that is never ready",
    code("() => new Promise((resolve) => setTimeout(resolve, 1e8))").replace(
      "start:",
      'startTimeout: "1s", start:',
    ),
    "starts",
    /HAL_SERVICE_NOT_READY/,
  ],
  ["a process that exits at once", shell("exit 3"), "starts", /did not start|ended by itself/],
  [
    "a check that throws",
    code("() => ({ check: () => { throw new Error('broken'); } })"),
    "checks",
    /broken/,
  ],
  [
    "a check that hangs",
    code("() => ({ check: () => new Promise(() => {}) })"),
    "checks",
    /No answer to check within/,
  ],
  [
    "a status that is a Map",
    code("() => ({ status: () => ({ a: [new Map()] }) })"),
    "status",
    /status\.a\[0\] is a Map/,
  ],
  [
    "a status with a BigInt",
    code("() => ({ status: () => ({ size: 3n }) })"),
    "status",
    /status\.size is a bigint/,
  ],
  [
    "a status that cannot be sent",
    code("() => ({ status: () => ({ f: () => 1 }) })"),
    "status",
    /Status: /,
  ],
  [
    "a stop that never ends",
    code("() => ({ stop: () => new Promise(() => {}) })"),
    "stops",
    /was killed/,
  ],
  [
    "a process that ignores its signal",
    shell("trap '' TERM; while :; do sleep 1; done"),
    "stops",
    /was killed/,
  ],
  [
    "a child that a thread leaves",
    code(
      "() => { spawn('sleep', ['300'], { detached: true, stdio: 'ignore' }).unref(); return {}; }",
    ),
    "nothing-left",
    /sleep 300/,
  ],
  [
    "a grandchild that a thread leaves",
    code(
      "() => { spawn('sh', ['-c', 'sleep 301 &'], { detached: true, stdio: 'ignore' }).unref(); return {}; }",
    ),
    "nothing-left",
    /sleep 301/,
  ],
  [
    "a child in another session, with another environment",
    shell("env -i setsid sleep 302 </dev/null >/dev/null 2>&1 & while :; do sleep 1; done"),
    "nothing-left",
    /sleep 302/,
  ],
  [
    "a child that a kill leaves",
    code(
      "() => { const child = spawn('sleep', ['303'], { stdio: 'ignore' }); return { stop: () => void child.kill() }; }",
    ),
    "killed",
    /sleep 303/,
  ],
  [
    "a reconfiguration that throws",
    "config: z.object({ on: z.boolean() }), start: () => ({ reconfigure: () => { throw new Error('cannot'); } }),",
    "reconfigures",
    /on=true: .*cannot/,
  ],
  [
    "a reconfiguration that is a lie",
    'config: z.object({ level: z.enum(["a", "b"]) }), start: ({ config: { level } }) => ({ status: () => ({ level }), reconfigure: () => {} }),',
    "reconfigures",
    /status still shows "a"/,
  ],
  [
    "a value of its schema that it does not start with",
    'config: z.object({ level: z.enum(["a", "b"]) }), start: ({ config }) => { if (config.level === "b") throw new Error("b is bad"); },',
    "reconfigures",
    /level="b": .*b is bad/,
  ],
  [
    "a message that is declared and missing",
    `${none} ${tuple} start: () => ({}),`,
    "messages",
    /takes no message "add"/,
  ],
  [
    "a message that is never answered",
    `${none} ${tuple} start: () => ({ messages: { add: () => new Promise(() => {}) } }),`,
    "messages",
    /No answer to message add/,
  ],
  [
    "a resource that is not declared",
    code("(context) => { context.acquire('Disk', 'sda'); return {}; }"),
    "resources",
    /does not declare the resource kind "Disk"/,
  ],
  [
    "attributes that do not fit",
    `${none} resources: { Disk: z.object({ size: z.number() }) }, start: (context) => { context.acquire('Disk', 'sda', { size: 'big' }); return {}; },`,
    "resources",
    /attributes of Disk\/sda do not fit: size/,
  ],
  [
    "a release of what is not held",
    `${none} resources: { Disk: z.object({}) }, start: (context) => { context.release('Disk', 'sda'); return {}; },`,
    "resources",
    /releases Disk\/sda, which it does not hold/,
  ],
];

test.each(broken)("%s is found", async (_, fields, check, detail) => {
  const report = await conformService(serviceFile(fields), { only: check });
  expect(failedOf(report)).toMatchObject([
    { check, outcome: "failed", detail: expect.stringMatching(detail) },
  ]);
});

test.skipIf(!hasDebianAgents)(
  "an agent that keeps the contract passes all checks that apply",
  async () => {
    const report = await conformService(serviceFile('ocf: "ocf:heartbeat:Dummy"'));
    expect(failedOf(report)).toEqual([]);
    // It is a file, and no process.
    expect(skippedOf(report)).toEqual(["killed", "hung", "messages"]);
  },
);

test.each([
  [{ lies: true }, /monitor before the start returned 0 .*does it run/],
  [{ codes: "monitor=3" }, /monitor before the start returned 3 \(unimplemented\), expected 7/],
  [{ codes: "stop=1" }, /stop returned 1 \(generic error\), expected 0/],
  [{ codes: "start=42" }, /start returned 42 \(a code that OCF does not know\)/],
])("an agent that breaks its codes is found: %j", async (config, detail) => {
  process.env["HALON_OCF_ROOT"] = testAgents;
  try {
    const file = serviceFile('ocf: "ocf:test:scripted"');
    const pidfile = `${file}.pid`;
    const report = await conformService(file, { config: { pidfile, ...config }, only: "agent" });
    const found = { check: "agent", outcome: "failed", detail: expect.stringMatching(detail) };
    expect(failedOf(report)).toMatchObject([found]);
  } finally {
    delete process.env["HALON_OCF_ROOT"];
  }
});

test("what does not start is not driven further", async () => {
  const report = await conformService(serviceFile(code("() => { throw new Error('no disk'); }")));
  expect(failedOf(report).map(({ check }) => check)).toEqual(["starts", "resources"]);
  expect(report.checks).toHaveLength(18);
});

test("a file that is not there, and configurations that do not fit, are errors", async () => {
  await expect(conformService("/no/such.service.ts")).rejects.toMatchObject({
    code: "HAL_NOT_FOUND",
  });
  const exact = serviceFile(
    "config: z.object({ name: z.string().regex(/^q{7}$/) }), start: () => ({}),",
  );
  await expect(conformService(exact)).rejects.toMatchObject({
    code: "HAL_USAGE",
    message: expect.stringContaining("--config"),
  });
  await expect(conformService(exact, { config: { name: 3 } })).rejects.toMatchObject({
    code: "HAL_USAGE",
  });
  const report = await conformService(exact, { config: { name: "qqqqqqq" }, only: "starts" });
  expect(report.checks.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
});

test("a service whose work is done at once is not driven further", async () => {
  const file = serviceFile(code("(context) => { context.exit('all is counted'); return {}; }"));
  const report = await conformService(file, { only: "checks" });
  expect(report.checks.at(-1)).toMatchObject({
    outcome: "skipped",
    detail: expect.stringContaining("all is counted"),
  });
});

test("a file that does not compile fails to load, and nothing else is tried", async () => {
  const report = await conformService(serviceFile("config: ,"));
  expect(report).toMatchObject({
    type: undefined,
    checks: [{ check: "loads", outcome: "failed" }],
  });
});
