/**
 * What a station of three tracking nodes and a satellite does when nodes are cut off or killed in turn. The table of
 * scenarios is in scenarios.test.ts.
 *
 * Each test is held twice: with links that are cut in network namespaces, which need root, and with nodes that SIGSTOP
 * makes silent.
 */
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  field,
  follow,
  halondOf,
  isLong,
  isRunning,
  kill,
  line,
  project,
  root,
  type ServiceStatus,
  service,
  status,
  temporaryDirectory,
  waitFor,
} from "./cluster.ts";
import { Machines, namespacesAreThere } from "./namespaces.ts";
import { echoServer, processService } from "./services.ts";

const halondPath = join(root, "packages/cli/bin/halond.js");
const tracking = ["node-1", "node-2", "node-3"] as const;
const satellite = "node-4";
const all = [...tracking, satellite];
const readyMs = 60_000;
const eventMs = 40_000;

/** How nodes are silenced. */
interface Ground {
  begin(): void;
  /** Where a node listens, always. */
  addressOf(name: string): string;
  /** What runs a program where the node is. */
  command(name: string, words: readonly string[]): readonly [string, readonly string[]];
  /** Makes exactly these silent. */
  isolate(names: ReadonlySet<string>): void;
  end(): void;
}

let directory: string;
let ground: Ground;
let said = 0;

const hasNamespaces = namespacesAreThere();
if (!hasNamespaces)
  process.stderr.write("skipped: links that are cut; network namespaces need root\n");

describe.skipIf(!hasNamespaces)("nodes whose links are cut", () => {
  const machines = new Machines(all);
  prepare({
    begin: () => machines.open(),
    addressOf: (name) => machines.addressOf(name),
    command: (name, words) => machines.command(name, words),
    isolate: (names) => machines.isolate(names),
    end: () => machines.close(),
  });
  holdScenarios();
});

describe("nodes that are paused", () => {
  const host = `127.${1 + ((process.pid >> 8) & 127)}.${process.pid & 255}.4`;
  let paused: ReadonlySet<string> = new Set();
  prepare({
    begin: () => undefined,
    addressOf: (name) => `${host}:${20_000 + all.indexOf(name) * 10}`,
    command: (_, [program = "", ...args]) => [program, args],
    isolate(names) {
      for (const name of all)
        if (paused.has(name) !== names.has(name))
          kill(halondOf(dataDirOf(name)), names.has(name) ? "SIGSTOP" : "SIGCONT");
      paused = new Set(names);
    },
    end: () => undefined,
  });
  // Where links can be cut, the same with paused nodes is for long runs.
  if (!hasNamespaces || isLong) holdScenarios();

  test("events are handled while each tracking node is killed and started again", async () => {
    for (const name of tracking) {
      const others = tracking.filter((each) => each !== name);
      kill(halondOf(dataDirOf(name)), "SIGKILL");
      await handledBy(others);
      await nodeIs(name, "down", others);
      await start(name);
      await whole();
    }
  });
});

function prepare(own: Ground): void {
  beforeAll(async () => {
    ground = own;
    directory = temporaryDirectory();
    ground.begin();
    await begin();
  });

  afterAll(async () => {
    await cleanUp();
    own.end();
  });

  // One that failed may have left nodes silent.
  beforeEach(async () => {
    isolate();
    await whole();
  });
}

function holdScenarios(): void {
  test("events are handled while each tracking node is cut off in turn, those of a satellite too", async () => {
    for (const name of tracking) {
      const others = tracking.filter((each) => each !== name);
      const before = await running("noise", others);
      isolate(name);
      const id = await handledBy(others);
      kill(before.osPid ?? 0, "SIGKILL");
      await nextOf(before, others);
      await nodeIs(name, "down", others);
      await handledBy(others);
      isolate();
      await whole();
      await waitFor(`${name} to have heard of ${id}`, () => knows(name, id), eventMs);
    }
  });

  test("nothing is handled while only one tracking node is left, and all of it once a second is back", async () => {
    for (const [at, left] of tracking.slice(0, 2).entries()) {
      const others = tracking.filter((each) => each !== left);
      isolate(...others);
      await waitFor(
        `${left} to know of no leader`,
        async () => (await status(endpointOf(left))).cluster.leader === null,
        eventMs,
      );
      const id = nextId();
      expect(await say(left, id)).toMatchObject({ status: 503 });
      // A leader that has lost its followers tells no history for a moment.
      const known = await waitFor("the history", () => events(endpointOf(left), "Said"), eventMs);
      expect(known.map((entry) => entry.id)).not.toContain(id);
      const back = others[at % 2] ?? left;
      isolate(...others.filter((each) => each !== back));
      await handledBy([left, back], id);
      isolate();
      await whole();
      const told = (await events(endpointOf(left), "Said")).filter((entry) => entry.id === id);
      expect(told).toHaveLength(1);
    }
  });

  test("after all tracking nodes were alone for longer than a lease, two of them that come back handle events", async () => {
    const before = await running("sole", tracking);
    isolate(...tracking);
    // Nobody renews its lease.
    await waitFor(
      "the exclusive service to have ended",
      () => !isRunning(before.osPid ?? 0),
      eventMs,
    );
    const [away, ...back] = tracking;
    isolate(away);
    await handledBy(back);
    expect((await nextOf(before, back)).node).toBe(satellite);
  });

  test("a service that fails while its node is cut off is started again when the node is back", async () => {
    const before = await running("noise", tracking);
    isolate(satellite);
    kill(before.osPid ?? 0, "SIGKILL");
    await nodeIs(satellite, "down", tracking);
    isolate();
    await nextOf(before, tracking);
    await whole();
  });

  test("a service that hangs where its own node does not ask it is noticed by another node, and starts again", async () => {
    const before = await running("far", tracking);
    const [master] = tracking;
    kill(before.osPid ?? 0, "SIGSTOP");
    await nextOf(before, tracking);
    const [doubted] = await events(endpointOf(master), "InstanceDoubted");
    expect(tracking).toContain(doubted && field(doubted, "by"));
    const failed = await events(endpointOf(master), "ServiceFailed");
    const own = failed.find((entry) => field(entry, "instance") === before.instance);
    expect(own && field(own, "cause")).toBe("liveness");
  });

  test("a satellite that starts again finds the others without the node that it joined by", async () => {
    const [joined, ...others] = tracking;
    const before = await running("noise", tracking);
    isolate(joined);
    kill(halondOf(dataDirOf(satellite)), "SIGKILL");
    await handledBy(others);
    await nodeIs(satellite, "down", others);
    await start(satellite);
    await nodeIs(satellite, "up", others);
    expect((await running("noise", others)).osPid).toBe(before.osPid);
  });
}

async function begin(): Promise<void> {
  const [master] = tracking;
  const toMaster = ["--join", ground.addressOf(master)];
  await Promise.all(tracking.map((name) => start(name, ...(name === master ? [] : toMaster))));
  // The first three are the tracking nodes.
  await start(satellite, ...toMaster);
  const file = project(join(directory, "project"), {
    "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({
  services: [
    { type: "./noise.service.ts", on: { node: "${satellite}" }, onNodeLoss: "wait" },
    { type: "./sole.service.ts", on: { node: "${satellite}" }, exclusive: "cluster" },
    { type: "./far.service.ts", on: { node: "${satellite}" }, onNodeLoss: "wait" },
  ],
  rules: ["./said.rules.ts"],
});
`,
    "noise.service.ts": processService("noise"),
    "sole.service.ts": processService("sole"),
    "far.service.ts": processService("far", 'checkEvery: "1h", watchers: 1,'),
    "said.rules.ts": `import { defineEvent, defineRules, on, z } from "@halon/rules";
export const Said = defineEvent({ type: "Said", schema: z.object({}) });
export default defineRules({ remember: on(Said).do(({ memory }) => void memory.set("last", 1)) });
`,
    "echo.mjs": echoServer,
  });
  await ctl(endpointOf(master), "apply", "-f", file);
  await whole();
}

/** Starts a node, for the first time or again, and waits until it is ready. */
async function start(name: string, ...args: readonly string[]): Promise<void> {
  const [program, words] = ground.command(name, [
    ...[process.execPath, halondPath, "start", "--name", name],
    ...["--data-dir", dataDirOf(name), "--listen", ground.addressOf(name), "--insecure", ...args],
  ]);
  const child = spawn(program, words, { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] });
  await line(follow(child), /^halond ready /m, readyMs);
}

function isolate(...names: readonly string[]): void {
  ground.isolate(new Set(names));
}

function dataDirOf(name: string): string {
  return join(directory, name);
}

function endpointOf(name: string): string {
  return `http://${ground.addressOf(name)}`;
}

function nextId(): string {
  said += 1;
  return `said-${said}`;
}

/** What a node answers to an event. */
async function say(name: string, id: string) {
  const response = await fetch(`${endpointOf(name)}/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id, type: "Said", data: {} }),
    signal: AbortSignal.timeout(15_000),
  });
  const { errorCode } = (await response.json()) as { errorCode?: string };
  return { status: response.status, errorCode };
}

/** Sends an event to these nodes in turn until it is acknowledged and a rule has had it; gives its id. */
async function handledBy(names: readonly string[], id = nextId()): Promise<string> {
  let turn = 0;
  await waitFor(
    `${id} to be acknowledged`,
    async () => {
      const answer = await say(names[turn++ % names.length] ?? "", id);
      if (answer.status === 200) return true;
      throw new Error(JSON.stringify(answer));
    },
    eventMs,
  );
  const knowing = names.map((name) => waitFor(`${name} to know of ${id}`, () => knows(name, id)));
  await Promise.all(knowing);
  return id;
}

/** Whether a node can tell what a rule made of the event. */
async function knows(name: string, id: string): Promise<boolean> {
  const found = (await events(endpointOf(name), "Said")).find((entry) => entry.id === id);
  return found?.rules.some(({ rule }) => rule === "said/remember") ?? false;
}

/** Waits for what one of these nodes, each asked in turn, tells; all of them are there. */
function told<T>(
  what: string,
  names: readonly string[],
  probe: (endpoint: string) => Promise<T>,
): Promise<Exclude<T, undefined | false>> {
  let turn = 0;
  return waitFor(what, () => probe(endpointOf(names[turn++ % names.length] ?? "")), eventMs);
}

function running(name: string, asked: readonly string[]): Promise<ServiceStatus> {
  return told(`${name} to run`, asked, async (endpoint) => {
    const row = await service(endpoint, name);
    if (row !== undefined && runs(row)) return row;
    throw new Error(JSON.stringify(row));
  });
}

function nextOf(before: ServiceStatus, asked: readonly string[]): Promise<ServiceStatus> {
  return told(`${before.service} to run again`, asked, async (endpoint) => {
    const row = await service(endpoint, before.service);
    if (row !== undefined && runs(row) && row.incarnation > before.incarnation) return row;
    throw new Error(JSON.stringify(row));
  });
}

async function nodeIs(name: string, state: string, asked: readonly string[]): Promise<void> {
  await told(`${name} to be ${state}`, asked, async (endpoint) => {
    const { nodes } = await status(endpoint);
    const found = nodes.find((node) => node.name === name);
    if (found?.state === state) return true;
    throw new Error(JSON.stringify(found));
  });
}

/** Waits until every node says that all are up, the same one leads, and both services run. */
async function whole(): Promise<void> {
  await waitFor(
    "the cluster to be whole",
    async () => {
      const seen = await Promise.all(all.map((name) => status(endpointOf(name))));
      const leaders = new Set(seen.map(({ cluster }) => cluster.leader));
      const isUp = seen.every(({ nodes }) => nodes.every(({ state }) => state === "up"));
      const rows = seen.flatMap(({ services }) => services).filter(isOurs);
      const isOne = leaders.size === 1 && !leaders.has(null);
      if (isOne && isUp && rows.every(runs) && rows.length === 2 * all.length) return true;
      throw new Error(JSON.stringify({ leaders: [...leaders], nodes: seen[0]?.nodes, rows }));
    },
    readyMs,
  );
}

/** Whether it is told to run, and that is true: a node that comes back tells what was, until it has heard what is. */
function runs({ state, osPid }: ServiceStatus): boolean {
  return state === "running" && osPid !== undefined && isRunning(osPid);
}

function isOurs({ service: name }: ServiceStatus): boolean {
  return name === "noise" || name === "sole";
}
