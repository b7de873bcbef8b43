import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { EventEntry } from "@halon/protocol";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  act,
  cleanUp,
  ctl,
  events,
  field,
  halonctl,
  type Node,
  project,
  service,
  startNode,
  status,
  temporaryDirectory,
  waitFor,
  waitForState,
} from "./cluster.ts";
import { clusterOf, workerService } from "./services.ts";

/** One node for all of them: it must go on whatever its services do, and so must the service beside them. */
let node: Node;
let directory: string;

beforeAll(async () => {
  directory = temporaryDirectory();
  node = await startNode(join(directory, "data"), ["--name", "node-1"]);
  const file = project(join(directory, "healthy"), {
    "cluster.ts": clusterOf("healthy"),
    "healthy.service.ts": workerService("healthy"),
  });
  await ctl(node.endpoint, "apply", "-f", file);
});

afterEach(async () => {
  expect((await status(node.endpoint)).cluster.leader).toBe("node-1");
  const healthy = await service(node.endpoint, "healthy");
  expect(healthy).toMatchObject({ state: "running", health: "ok", incarnation: 1 });
});

afterAll(cleanUp);

/** Applies services of these names from a folder of their own. */
function apply(services: Readonly<Record<string, string>>) {
  const names = Object.keys(services);
  const files = names.map((name) => [`${name}.service.ts`, services[name] ?? ""]);
  const file = project(join(directory, names.join("+")), {
    "cluster.ts": clusterOf(...names),
    ...Object.fromEntries(files),
  });
  return halonctl(node.endpoint, "apply", "-f", file);
}

/** Stops them for good: what spins or fails must be stoppable, and must not disturb the next test. */
async function stop(...names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => act(node.endpoint, name, "stop")));
  for (const name of names) {
    expect(await service(node.endpoint, name)).toMatchObject({ state: "stopped" });
  }
}

function waitForFailure(name: string): Promise<EventEntry> {
  return waitFor(`${name} to fail`, async () => {
    const told = await events(node.endpoint, "ServiceFailed");
    return told.find((entry) => field(entry, "service") === name);
  });
}

/** True where it runs, and false where it is compiled: what fails there is refused before it runs. */
const whereItRuns = 'const runs = import.meta.url.includes("/blobs/");';
const process =
  (text: string, options = "") =>
  (name: string) =>
    `import { defineService, z } from "@halon/service";
export default defineService({
  name: "${name}", version: "1.0.0", config: z.object({}), ${options} process: { ${text} },
});`;
const worker = (parts: Parameters<typeof workerService>[1]) => (name: string) =>
  workerService(name, parts);

const startFailures = [
  {
    name: "throws-on-load",
    text: worker({ top: `${whereItRuns}\nif (runs) throw new Error("no good at all");` }),
    reason: "no good at all",
  },
  {
    name: "spins-on-load",
    text: worker({ top: `${whereItRuns}\nwhile (runs);`, options: 'startTimeout: "300ms",' }),
    reason: "not ready within 300 ms",
  },
  {
    name: "throws-at-start",
    text: worker({ start: 'throw new Error("the port is taken");' }),
    reason: "the port is taken",
  },
  {
    name: "never-ready",
    text: worker({ start: "await new Promise(() => {});", options: 'startTimeout: "300ms",' }),
    reason: "not ready within 300 ms",
  },
  { name: "exits-at-once", text: worker({ start: "process.exit(3);" }), reason: "exit code 3" },
  {
    name: "process-exits",
    text: process(
      'command: ["node", "-e", "process.exit(3)"], ready: { type: "output", pattern: "never" }',
    ),
    reason: "3",
  },
  {
    name: "process-missing",
    text: process('command: ["/nowhere/at/all"]'),
    reason: "/nowhere/at/all",
  },
  {
    name: "process-never-ready",
    text: process(
      'command: ["sleep", "60"], ready: { type: "output", pattern: "never" }',
      'startTimeout: "300ms",',
    ),
    reason: "300 ms",
  },
];

test("what cannot start is broken after its tries, each with its own reason", async () => {
  const applied = await apply(
    Object.fromEntries(startFailures.map(({ name, text }) => [name, text(name)])),
  );
  expect(applied.stderr).toContain("is broken: failed 5 times within 60 s, last: ");
  expect(applied.code).toBe(1);
  for (const { name, reason } of startFailures) {
    const row = await waitForState(node.endpoint, name, "broken");
    expect(row.incarnation, name).toBe(5);
    expect(row.reason, name).toContain(reason);
  }
  await stop(...startFailures.map(({ name }) => name));
});

const runFailures = [
  {
    name: "throws-later",
    start: 'setTimeout(() => { throw new Error("later"); }, 300);',
    reason: "later",
  },
  {
    name: "rejects-later",
    start: 'setTimeout(() => void Promise.reject(new Error("nobody caught me")), 300);',
    reason: "nobody caught me",
  },
  {
    name: "eats-heap",
    start: eater("kept.push(new Array(10_000).fill(kept.length))"),
    reason: "memory",
  },
  { name: "eats-buffers", start: eater("kept.push(Buffer.alloc(1_000_000, 1))"), reason: "memory" },
  {
    name: "floods-changes",
    start:
      'setTimeout(() => { for (let n = 0; ; n += 1) context.acquire("Thing", "t" + n); }, 300);',
    reason: "HalonError",
  },
  {
    name: "never-answers-check",
    start: "return { check: () => new Promise(() => {}) };",
    reason: "3 checks in a row got no answer",
  },
];

function eater(bite: string): string {
  return `const kept = []; setTimeout(() => setInterval(() => { ${bite}; }, 1), 300);`;
}

test("what ends while it runs is told with its reason and started again", async () => {
  const options =
    'memoryMb: 48, checkEvery: "200ms", checkTimeout: "100ms", resources: { Thing: z.object({}) },';
  const applied = await apply(
    Object.fromEntries(
      runFailures.map(({ name, start }) => [name, workerService(name, { start, options })]),
    ),
  );
  expect(applied).toMatchObject({ code: 0 });
  for (const { name, reason } of runFailures) {
    expect(field(await waitForFailure(name), "reason"), name).toContain(reason);
    const next = async () => ((await service(node.endpoint, name))?.incarnation ?? 0) > 1;
    await waitFor(`${name} to be started again`, next);
  }
  await stop(...runFailures.map(({ name }) => name));
});

test("a worker that spins is ended within 2 s of its missed beats", async () => {
  const spinsAfterMs = 300;
  const start = `setTimeout(() => { for (;;); }, ${spinsAfterMs});`;
  const applied = await apply({ spins: workerService("spins", { start }) });
  expect(applied).toMatchObject({ code: 0 });
  const failed = await waitForFailure("spins");
  const started = (await events(node.endpoint, "ServiceStarted")).find(
    (entry) => field(entry, "instance") === field(failed, "instance"),
  );
  const endedAfterMs = failed.logTime - (started?.logTime ?? 0) - spinsAfterMs;
  console.log(`the spinning worker was ended ${endedAfterMs} ms after it began to spin`);
  expect(field(failed, "reason")).toMatch(/^hung/);
  expect(endedAfterMs).toBeLessThan(2_000);
  await stop("spins");
});

test("a check that throws shows in the state, with the reason, and does not end the service", async () => {
  const start = 'return { check: () => { throw new Error("the disk is full"); } };';
  await apply({ unwell: workerService("unwell", { start }) });
  const row = await waitFor("unwell to be degraded", async () => {
    const found = await service(node.endpoint, "unwell");
    return found?.state === "degraded" ? found : undefined;
  });
  expect(row).toMatchObject({ health: "fail", incarnation: 1 });
  expect(row.reason).toContain("the disk is full");
  const check = await halonctl(node.endpoint, "service", "check", "unwell");
  expect(check.code).toBe(7);
  await stop("unwell");
});

test.each([
  {
    name: "floods",
    text: workerService("floods", {
      start: 'const line = "flood ".repeat(5_000); setInterval(() => console.log(line), 0);',
    }),
  },
  {
    name: "process-floods",
    text: process('command: ["yes", "flood"], outputBytesMax: 1_000_000')("process-floods"),
  },
])("$name: its output is kept within bounds, and it runs on", async ({ name, text }) => {
  expect(await apply({ [name]: text })).toMatchObject({ code: 0 });
  const home = join(directory, "data/services", name);
  const size = () =>
    readdirSync(home)
      // Files that are being cut come and go.
      .map((file) => statSync(join(home, file), { throwIfNoEntry: false })?.size ?? 0)
      .reduce((sum, one) => sum + one, 0);
  await waitFor("its output", () => size() > 1_000_000);
  // It writes faster than anybody cuts; what counts is that it is cut again and again.
  for (let look = 0; look < 3; look += 1) {
    expect(await ctl(node.endpoint, "service", "logs", name, "--lines", "2")).toContain("flood");
    await waitFor("its output to be cut", () => size() < 20_000_000);
  }
  expect(await service(node.endpoint, name)).toMatchObject({ state: "running", incarnation: 1 });
  await stop(name);
  await waitFor("its output to be cut for the last time", () => size() < 4_000_000);
});
