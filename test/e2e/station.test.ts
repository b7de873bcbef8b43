import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EventEntry } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  halondOf,
  isRunning,
  kill,
  line,
  type Node,
  processesOf,
  project,
  service,
  start,
  startCluster,
  status,
  temporaryDirectory,
  waitFor,
  waitForState,
} from "./cluster.ts";
import { echoServer, processService } from "./services.ts";

afterEach(cleanUp);

const names = ["node-1", "node-2", "node-3"] as const;

/** Three tracking nodes, and where each of them answers. */
interface Station {
  readonly launcher: Node;
  readonly dataDir: string;
  readonly endpoints: ReadonlyMap<string, string>;
}

const saidRules = `import { defineEvent, defineRules, on, z } from "@halon/rules";
export const Said = defineEvent({ type: "Said", schema: z.object({ n: z.number() }) });
export default defineRules({
  remember: on(Said).do(({ event, memory }) => void memory.set("last", event.n)),
});
`;

test("when the leader is killed another leads, nothing of the others stops, and it comes back as what it was", async () => {
  const station = await startStation();
  const leader = await leaderOf(station, names);
  const [victim, bystander] = others(leader);
  const before = await keepers(station, victim);
  const acknowledged = await Promise.all(numbers(30).map((n) => say(station, names[n % 3], n)));
  const wasThere = await identityOf(station, leader);

  const killedAt = performance.now();
  kill(halondOf(join(station.dataDir, leader)), "SIGKILL");
  kill(before.get(victim)?.osPid ?? 0, "SIGKILL");
  const next = await leaderOf(station, [victim, bystander]);
  console.log(
    `${next} led ${Math.round(performance.now() - killedAt)} ms after the end of ${leader}`,
  );
  const replaced = await waitFor("the killed service to run again", async () => {
    const row = await service(endpointOf(station, next), "keeper", victim);
    return row?.state === "running" && row.osPid !== before.get(victim)?.osPid && row;
  });
  expect(replaced.incarnation).toBe((before.get(victim)?.incarnation ?? 0) + 1);
  // What nobody killed has not noticed, on the node that lost its halond neither.
  expect(await service(endpointOf(station, next), "keeper", bystander)).toMatchObject(
    brief(before.get(bystander)),
  );
  for (const name of [leader, bystander])
    expect(isRunning(before.get(name)?.osPid ?? 0)).toBe(true);
  for (const name of [victim, bystander])
    expect(await placesOf(station, name)).toMatchObject(acknowledged);

  await restart(station, leader);
  await waitFor("it to be up", async () => {
    const { nodes, cluster } = await status(endpointOf(station, leader));
    return cluster.leader === next && nodes.every(({ state }) => state === "up");
  });
  expect(await identityOf(station, leader)).toEqual(wasThere);
  const adopted = await waitForState(endpointOf(station, leader), "keeper", "running", {
    node: leader,
  });
  expect(adopted).toMatchObject(brief(before.get(leader)));
  expect(await placesOf(station, leader)).toMatchObject(acknowledged);
  await waitForOneHistory(station);
});

test("a follower answers reads with their age, forwards a write once, and without a majority reads go on while writes are refused", async () => {
  const station = await startStation();
  const leader = await leaderOf(station, names);
  const [left, other] = others(leader);
  const [follower, ofLeader] = await waitFor("follower and leader to agree", async () => {
    const answers = await Promise.all([left, leader].map((name) => read(station, name)));
    const [a, b] = answers.map(({ revision, body }) => JSON.stringify({ revision, body }));
    return a === b && answers;
  });
  expect(follower?.revision).toBeGreaterThan(0);
  for (const answer of [follower, ofLeader]) expect(answer?.stalenessMs).toBeGreaterThanOrEqual(0);

  expect(await send(station, left, "by-a-follower")).toMatchObject({ status: 200 });
  expect(await send(station, left, "forwarded", { "Halon-Forwarded": other })).toMatchObject({
    status: 503,
    body: { error: true, errorCode: "HAL_NO_LEADER" },
  });
  expect(await send(station, leader, "forwarded", { "Halon-Forwarded": left })).toMatchObject({
    status: 200,
  });

  for (const name of [leader, other]) kill(halondOf(join(station.dataDir, name)), "SIGKILL");
  await waitFor("it to know of no leader", async () => {
    return (await status(endpointOf(station, left))).cluster.leader === null;
  });
  const first = await read(station, left);
  const later = await waitFor("the answers to grow older", async () => {
    const answer = await read(station, left);
    return answer.stalenessMs > first.stalenessMs && answer;
  });
  expect(later.revision).toBeGreaterThanOrEqual(follower?.revision ?? 0);
  expect(later.body.map(({ service }) => service)).toContain("keeper");
  expect(await send(station, left, "refused")).toMatchObject({
    status: 503,
    body: { error: true, code: 503, errorCode: "HAL_NO_LEADER" },
  });
  expect(await placesOf(station, left, "by-a-follower")).toHaveLength(1);
  const { osPid = 0 } = (await service(endpointOf(station, left), "keeper", left)) ?? {};
  expect(isRunning(osPid)).toBe(true);
});

test("a stream of events that was cut goes on from another node without a gap and without a repetition", async () => {
  const station = await startStation();
  const leader = await leaderOf(station, names);
  const [first, second] = others(leader);
  const saying = (async () => {
    for (const n of numbers(60)) await say(station, names[n % 3], n);
  })();
  const before = await readStream(station, first, "0", (entries) =>
    entries.some(({ id }) => id === "said-20"),
  );
  const last = before.at(-1);
  const after = await readStream(station, second, `${last?.index}.${last?.position}`, (entries) =>
    entries.some(({ id }) => id === "said-59"),
  );
  await saying;
  const streamed = [...before, ...after];
  const history = await historyOf(station, leader);
  expect(streamed).toEqual(history.slice(0, streamed.length));
});

test("code is on a majority when it has been applied: it starts elsewhere when the leader is gone for good", async () => {
  const directory = temporaryDirectory();
  const station = await startStation(directory);
  const leader = await leaderOf(station, names);
  // The others have something to carry, so that this one is placed on the leader.
  const ballast = others(leader).flatMap((node) =>
    numbers(2).map(
      (n) =>
        `{ type: "./ballast.service.ts", name: "ballast-${node}-${n}", on: { node: "${node}" } }`,
    ),
  );
  const file = project(join(directory, "second"), {
    "ballast.ts": clusterText(ballast),
    "single.ts": clusterText([`{ type: "./single.service.ts", on: "any-node" }`]),
    "ballast.service.ts": processService("ballast"),
    "single.service.ts": processService("single").replace("echo.mjs", "own.mjs"),
    "echo.mjs": echoServer,
    "own.mjs": `// Only single has this file.\n${echoServer}`,
  });
  await ctl(endpointOf(station, leader), "apply", "-f", file, "--wait");
  const known = new Set(blobsOf(station, leader));
  await ctl(endpointOf(station, leader), "apply", "-f", join(file, "../single.ts"), "--wait");
  const added = blobsOf(station, leader).filter((name) => !known.has(name));
  expect(added.length).toBeGreaterThan(1);
  for (const name of added) {
    const holders = names.filter((node) => blobsOf(station, node).includes(name));
    expect(holders.length).toBeGreaterThanOrEqual(2);
  }
  const placed = await waitForState(endpointOf(station, leader), "single", "running");
  expect(placed.node).toBe(leader);

  endMachine(station, leader);
  rmSync(join(directory, "second"), { recursive: true });
  const next = await leaderOf(station, others(leader));
  const moved = await waitFor("the service to run elsewhere", async () => {
    // The lost node has a row of its own, as nobody knows what became of the service there.
    const rows = (await status(endpointOf(station, next))).services;
    const found = rows.filter((row) => row.service === "single");
    const row = found.find(({ node, state }) => node !== leader && state === "running");
    if (row !== undefined) return row;
    throw new Error(JSON.stringify(found));
  });
  expect(isRunning(moved.osPid ?? 0)).toBe(true);
});

test("after kill -9 of all nodes at once a relaunch gives the same nodes, processes and history", async () => {
  const station = await startStation();
  await leaderOf(station, names);
  const acknowledged = await Promise.all(numbers(30).map((n) => say(station, names[n % 3], n)));
  const before = await keepers(station, "node-1");
  const identities = await Promise.all(names.map((name) => identityOf(station, name)));
  for (const name of names) kill(halondOf(join(station.dataDir, name)), "SIGKILL");
  await station.launcher.ended;
  // One of them dies while nobody looks: the graph is true only when that has been found out.
  kill(before.get("node-2")?.osPid ?? 0, "SIGKILL");
  for (const name of ["node-1", "node-3"])
    expect(isRunning(before.get(name)?.osPid ?? 0)).toBe(true);

  const relaunch = startCluster(station.dataDir);
  const leader = await waitFor("a leader", () =>
    Promise.any(names.map((name) => leads(station, name))),
  );
  const ledAt = performance.now();
  const after = await waitFor("the graph to be true", async () => {
    const now = await keepers(station, leader);
    const found = now.get("node-2");
    if (found?.osPid === before.get("node-2")?.osPid) throw new Error(JSON.stringify(found));
    return now;
  });
  console.log(`the graph was true ${Math.round(performance.now() - ledAt)} ms after ${leader} led`);
  for (const name of ["node-1", "node-3"])
    expect(after.get(name)).toMatchObject(brief(before.get(name)));
  for (const { osPid } of after.values()) expect(isRunning(osPid ?? 0)).toBe(true);
  await relaunch;
  expect(await Promise.all(names.map((name) => identityOf(station, name)))).toEqual(identities);
  await waitForOneHistory(station);
  for (const name of names) expect(await placesOf(station, name)).toMatchObject(acknowledged);
});

/** Three nodes under one launcher, with an OS process on each and an event of their own. */
async function startStation(directory = temporaryDirectory()): Promise<Station> {
  const file = project(join(directory, "project"), {
    "cluster.ts": clusterText(
      [`{ type: "./keeper.service.ts", on: "every-node" }`],
      "./said.rules.ts",
    ),
    "keeper.service.ts": processService("keeper"),
    "said.rules.ts": saidRules,
    "echo.mjs": echoServer,
  });
  const dataDir = join(directory, "data");
  const launcher = await startCluster(dataDir, { args: ["--apply", file] });
  const { nodes } = await status(launcher.endpoint);
  expect(nodes.map(({ name, role }) => `${name} ${role}`)).toEqual(
    names.map((name) => `${name} tracking`),
  );
  const endpoints = new Map(nodes.map(({ name, address }) => [name, `http://${address}`]));
  return { launcher, dataDir, endpoints };
}

function clusterText(services: readonly string[], rules?: string): string {
  return `import { defineCluster } from "@halon/service";
export default defineCluster({
  services: [${services.join(", ")}],
  ${rules === undefined ? "" : `rules: ["${rules}"],`}
});
`;
}

function endpointOf(station: Station, name: string): string {
  const endpoint = station.endpoints.get(name);
  if (endpoint === undefined) throw new Error(`${name} is not a node of this cluster`);
  return endpoint;
}

function others(name: string): [string, string] {
  const [first = "", second = ""] = names.filter((each) => each !== name);
  return [first, second];
}

/** Waits until all of these nodes, and no other, say that one of them leads. */
function leaderOf(station: Station, asked: readonly string[]): Promise<string> {
  return waitFor("one leader", async () => {
    const told = await Promise.all(asked.map((name) => status(endpointOf(station, name))));
    const leaders = new Set(told.map(({ cluster }) => cluster.leader));
    const [leader] = leaders;
    if (leaders.size === 1 && typeof leader === "string" && asked.includes(leader)) return leader;
    throw new Error([...leaders].join());
  });
}

/** The name, when the node itself says that it leads. */
async function leads(station: Station, name: string): Promise<string> {
  const { cluster } = await status(endpointOf(station, name));
  if (cluster.leader !== name) throw new Error(`${name} does not lead`);
  return name;
}

/** The service that runs on every node, by node, once all of them run. */
function keepers(station: Station, asked: string) {
  return waitFor("every keeper to run", async () => {
    const { services } = await status(endpointOf(station, asked));
    const rows = services.filter((row) => row.service === "keeper");
    return (
      rows.length === names.length &&
      rows.every(({ state }) => state === "running") &&
      new Map(rows.map((row) => [row.node, row]))
    );
  });
}

function brief(
  row: { readonly osPid?: number | undefined; readonly incarnation: number } | undefined,
) {
  return { osPid: row?.osPid, incarnation: row?.incarnation };
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => n);
}

async function identityOf(station: Station, name: string): Promise<unknown> {
  const response = await fetch(`${endpointOf(station, name)}/id`);
  const { id, name: own, role, clusterId } = (await response.json()) as Record<string, unknown>;
  return { id, name: own, role, clusterId };
}

async function send(
  station: Station,
  name: string,
  id: string,
  headers: Readonly<Record<string, string>> = {},
) {
  const response = await fetch(`${endpointOf(station, name)}/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ id, type: "Said", data: { n: 1 } }),
    redirect: "manual",
    signal: AbortSignal.timeout(15_000),
  });
  return { status: response.status, body: (await response.json()) as { index?: number } };
}

/** Sends an event until it is acknowledged; gives its place. */
async function say(station: Station, name: string | undefined, n: number) {
  const id = `said-${n}`;
  const { index } = await waitFor(`${id} to be acknowledged`, async () => {
    const { status, body } = await send(station, name ?? "node-1", id);
    if (status === 200) return body;
    throw new Error(`${status} ${JSON.stringify(body)}`);
  });
  return { id, index };
}

async function read(station: Station, name: string) {
  const response = await fetch(`${endpointOf(station, name)}/v1/services`, {
    signal: AbortSignal.timeout(2_000),
  });
  return {
    revision: Number(response.headers.get("Halon-Revision") ?? Number.NaN),
    stalenessMs: Number(response.headers.get("Halon-Staleness-Ms") ?? Number.NaN),
    body: (await response.json()) as readonly { readonly service: string }[],
  };
}

/** All events that a node tells of, page by page. */
async function historyOf(station: Station, name: string): Promise<readonly EventEntry[]> {
  const entries: EventEntry[] = [];
  for (;;) {
    const last = entries.at(-1);
    const after = last === undefined ? "0" : `${last.index}.${last.position}`;
    const url = `${endpointOf(station, name)}/v1/events?after=${after}&limit=100`;
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const page = EventEntry.array().parse(await response.json());
    if (page.length === 0) return entries;
    entries.push(...page);
  }
}

/** The events of this test in the history of a node, in the order of their numbers. */
async function placesOf(station: Station, name: string, only?: string) {
  const said = (await historyOf(station, name)).filter(({ type }) => type === "Said");
  const numberOf = (id: string) => Number(id.replace("said-", ""));
  return said
    .map(({ id = "", index }) => ({ id, index }))
    .filter(({ id }) => (only === undefined ? id.startsWith("said-") : id === only))
    .sort((a, b) => numberOf(a.id) - numberOf(b.id));
}

async function waitForOneHistory(station: Station): Promise<void> {
  await waitFor("every node to tell the same history", async () => {
    const told = await Promise.all(names.map((name) => historyOf(station, name)));
    const texts = new Set(told.map((history) => JSON.stringify(history)));
    if (texts.size === 1) return true;
    throw new Error(told.map((history) => history.length).join());
  });
}

/** Reads the stream of a node behind a place until it has been enough, then cuts it. */
async function readStream(
  station: Station,
  name: string,
  lastEventId: string,
  isEnough: (entries: readonly EventEntry[]) => boolean,
): Promise<readonly EventEntry[]> {
  const response = await fetch(`${endpointOf(station, name)}/v1/events/stream`, {
    headers: { "Last-Event-ID": lastEventId },
    signal: AbortSignal.timeout(20_000),
  });
  const decoder = new TextDecoder();
  const entries: EventEntry[] = [];
  let rest = "";
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines)
      if (text.startsWith("data: ")) entries.push(EventEntry.parse(JSON.parse(text.slice(6))));
    if (isEnough(entries)) return entries;
  }
  throw new Error(`the stream of ${name} ended after ${entries.length} events`);
}

function blobsOf(station: Station, name: string): readonly string[] {
  return readdirSync(join(station.dataDir, name, "blobs")).filter((file) =>
    /^[0-9a-f]{64}\b/.test(file),
  );
}

/** The node with all that ran there, and its disk. */
function endMachine(station: Station, name: string): void {
  const dataDir = join(station.dataDir, name);
  kill(halondOf(dataDir), "SIGKILL");
  for (const { pid } of processesOf(dataDir)) kill(pid, "SIGKILL");
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
}

/** Starts a node again with the command that the launcher printed. */
async function restart(station: Station, name: string): Promise<void> {
  const { launcher } = station;
  const output = () => launcher.output().split(`node ${name} was`)[1] ?? "";
  const again = await line({ ...launcher, output }, /^ {2}(\S+ \S+halond\.js start .*)$/m);
  await line(start(again.split(" ").slice(1)), /^halond ready /m);
}
