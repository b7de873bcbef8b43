/**
 * What a cluster does in the situations that operators of such systems have met: one tracking node and one satellite.
 *
 * | scenario | held by |
 * | --- | --- |
 * | 78 a service that fails is started again | acceptance: a killed process runs again as the next incarnation |
 * | 79 a failure of another instance leaves the live one alone | here: a failure that somebody made up; services.test: of an older incarnation |
 * | 80 what was handled is forgotten by its sender | event-queue.test: an acknowledgement forgets everything up to its number |
 * | 81 an event that nobody knows is taken out | intake.test: that no rule is on are kept as dead letters; bad-request: events that nobody declared |
 * | 82 each decision is written down | acceptance: the event list tells why; station: the same nodes, processes and history |
 * | 83 a service that was stopped stays so when its node comes back | here: a satellite that is killed and comes back |
 * | 84 each tracking node isolated in turn | scenarios-cluster: each tracking node is cut off in turn |
 * | 85 a node is back before it is given up | here: a satellite that is killed and comes back |
 * | 86 a node is given up, and comes back later | here: a node that stays away |
 * | 87 senders of the same, an older and a newer version | here: a message of another version |
 * | 88 a node knows all tracking nodes, also after a restart | scenarios-cluster: a satellite that starts again finds the others; bootstrap: all at once with the same list |
 * | 89 order of notifications | intake.test: in the order of their numbers; station: a stream of events that was cut. Disk sensors: storage hardware |
 * | 90 initial data | bad-start: a cluster file that is not right; choice.test: as many as there are replicas. Disk layouts: storage hardware |
 * | 97 a tracking node restarts by itself | here: a tracking node that is killed |
 * | 99 all daemons die | here: when every halond is killed; survival |
 * | 100 one node dies | here: a satellite that is killed and comes back |
 * | 101, 102 start and configure | here: a service that is started says its greeting |
 * | 103 a failure on a node that is cut off | scenarios-cluster: a service that fails while its node is cut off |
 * | 105 tracking nodes isolated in turn, with events of a satellite | scenarios-cluster: each tracking node is cut off in turn |
 * | 106 tracking nodes killed in turn | scenarios-cluster: each tracking node is killed and started again |
 * | 107 no majority, then one again | scenarios-cluster: nothing is handled while only one tracking node is left |
 * | 109 all isolated, then two back | scenarios-cluster: after all tracking nodes were alone for longer than a lease |
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  act,
  cleanUp,
  ctl,
  events,
  field,
  halonctl,
  halondOf,
  isRunning,
  kill,
  line,
  project,
  root,
  type ServiceStatus,
  service,
  start,
  startNode,
  status,
  temporaryDirectory,
  waitFor,
  waitForState,
} from "./cluster.ts";
import { echoServer, processService } from "./services.ts";

const halondPath = join(root, "packages/cli/bin/halond.js");
const names = ["tracker", "satellite"] as const;
const readyMs = 40_000;

let endpoint: string;
let directory: string;
let clusterFile: string;

beforeAll(async () => {
  directory = temporaryDirectory();
  ({ endpoint } = await startNode(dataDirOf("tracker"), ["--name", "tracker"]));
  const address = endpoint.replace("http://", "");
  await startNode(dataDirOf("satellite"), ["--name", "satellite", "--join", address]);
  clusterFile = project(join(directory, "project"), {
    "cluster.ts": clusterText(["steady", "idle", "greeter"], 1_000),
    "patient.ts": clusterText([], 1_000),
    "hasty.ts": clusterText([], 3),
    "greeter.service.ts": greeter("1.0.0", "z.string()", "name"),
    "steady.service.ts": processService("steady"),
    "idle.service.ts": processService("idle"),
    "echo.mjs": echoServer,
  });
});

afterAll(cleanUp);

test("a service that is started says its greeting in the log, and another one once it is configured so", async () => {
  await ctl(endpoint, "apply", "-f", clusterFile);
  const before = await running("greeter", "satellite");
  expect(await logOf("greeter")).toContain("hello from satellite");
  await ctl(endpoint, "service", "config", "set", "greeter", "greeting=good morning");
  const after = await running("greeter", "satellite");
  expect(after.incarnation).toBe(before.incarnation + 1);
  expect(await logOf("greeter")).toContain("good morning from satellite");
});

test("a message of another version is refused by name of what does not fit, and the service lives on", async () => {
  const ofOld = ["greet", '"Ann"'];
  const ofNew = ["greet", '{"name":"Ann"}'];
  const before = await running("greeter", "satellite");
  expect(await send(ofOld)).toMatchObject({ code: 0, stdout: expect.stringContaining("Ann") });
  expect(await send(ofNew)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("argument 1"),
  });
  const { instance } = await running("greeter", "satellite");
  expect(instance).toBe(before.instance);

  const file = join(clusterFile, "../greeter.service.ts");
  writeFileSync(file, greeter("2.0.0", "z.object({ name: z.string() })", "name.name"));
  await ctl(endpoint, "apply", "-f", clusterFile);
  expect(await running("greeter", "satellite")).toMatchObject({ version: "2.0.0" });
  expect(await send(ofNew)).toMatchObject({ code: 0, stdout: expect.stringContaining("Ann") });
  expect(await send(ofOld)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("argument 1"),
  });
});

test("a failure that somebody made up is refused, and the live instance keeps its pid", async () => {
  const before = await running("steady", "satellite");
  const told = { node: "satellite", instance: before.instance, reason: "made up", healthyMs: 1 };
  const answer = await fetch(`${endpoint}/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type: "ServiceFailed", data: told }),
  });
  expect(answer.status).toBe(403);
  // What is asked later is decided later: nothing stands before it any more.
  await act(endpoint, "steady", "check");
  expect(await service(endpoint, "steady", "satellite")).toMatchObject(brief(before));
  expect(isRunning(before.osPid ?? 0)).toBe(true);
});

test("a satellite that is killed and comes back is waited for, recovered and runs its services; what was stopped stays so", async () => {
  await act(endpoint, "idle", "stop");
  const before = await running("steady", "satellite");
  const worker = await running("greeter", "satellite");
  const since = await lastIndex();
  kill(halondOf(dataDirOf("satellite")), "SIGKILL");
  await storyOf("satellite", since, /^NodeTransient(,RecoveryAttempted)+$/);
  await startAgain("satellite");
  await storyOf("satellite", since, /^NodeTransient(,RecoveryAttempted)+,NodeRecovered$/);
  // The process was adopted, and the worker that died with its node is the sign that all was decided.
  const next = await waitForNext(worker);
  expect(next.node).toBe("satellite");
  expect(await running("steady", "satellite")).toMatchObject(brief(before));
  expect(await service(endpoint, "idle", "satellite")).toMatchObject({ state: "stopped" });
  await act(endpoint, "idle", "start");
  await running("idle", "satellite");
});

test("a node that stays away is given up after its attempts, and is recovered when it comes back later", async () => {
  await ctl(endpoint, "apply", "-f", join(clusterFile, "../hasty.ts"));
  const before = await running("steady", "satellite");
  const since = await lastIndex();
  kill(halondOf(dataDirOf("satellite")), "SIGKILL");
  await storyOf("satellite", since, /^NodeTransient(,RecoveryAttempted){3},NodeGivenUp$/);
  const { nodes } = await status(endpoint);
  expect(nodes.find(({ name }) => name === "satellite")).toMatchObject({
    state: "down",
    recovery: expect.stringContaining("given up"),
  });
  await startAgain("satellite");
  await storyOf(
    "satellite",
    since,
    /^NodeTransient(,RecoveryAttempted){3},NodeGivenUp,NodeRecovered$/,
  );
  expect(await running("steady", "satellite")).toMatchObject(brief(before));
  await ctl(endpoint, "apply", "-f", join(clusterFile, "../patient.ts"));
});

test("a tracking node that is killed comes back from its data directory alone, with the graph and all that runs", async () => {
  const before = await wholeCluster();
  const { cluster } = await status(endpoint);
  const index = await lastIndex();
  kill(halondOf(dataDirOf("tracker")), "SIGKILL");
  await startAgain("tracker");
  // Until then it tells what it knew before.
  await waitFor("a decision of its new life", async () => {
    return (await status(endpoint)).cluster.epoch > cluster.epoch;
  });
  const after = await wholeCluster();
  // The satellite has lost nothing, its worker neither.
  expect(after.map(brief)).toEqual(before.map(brief));
  const now = await status(endpoint);
  expect(now.cluster).toMatchObject({ id: cluster.id, leader: "tracker" });
  expect((await events(endpoint)).some((entry) => entry.index === index)).toBe(true);
});

test("when every halond is killed and started again, all that was wanted runs again", async () => {
  const before = await wholeCluster();
  for (const name of names) kill(halondOf(dataDirOf(name)), "SIGKILL");
  // One of the processes ends meanwhile: it is wanted all the same.
  const victim = before.find(({ service }) => service === "idle") ?? never();
  kill(victim.osPid ?? 0, "SIGKILL");
  await Promise.all(names.map(startAgain));
  await waitForNext(victim);
  const worker = before.find(({ service }) => service === "greeter") ?? never();
  await waitForNext(worker);
  const after = await wholeCluster();
  expect(after.map(({ service }) => service)).toEqual(before.map(({ service }) => service));
  const steady = (rows: readonly ServiceStatus[]) =>
    rows.filter((row) => row.service === "steady").map(brief);
  expect(steady(after)).toEqual(steady(before));
});

function clusterText(services: readonly string[], attempts: number): string {
  const entries = services.map(
    (name) => `{ type: "./${name}.service.ts", on: { node: "satellite" }, onNodeLoss: "wait" }`,
  );
  return `import { defineCluster } from "@halon/service";
export default defineCluster({
  services: [${entries.join(", ")}],
  nodes: { recover: { every: "300ms", attempts: ${attempts} } },
});
`;
}

/** A worker that greets at its start, and whoever is named to it. */
function greeter(version: string, schema: string, name: string): string {
  return `import { defineService, z } from "@halon/service";
export default defineService({
  name: "greeter",
  version: "${version}",
  config: z.object({ greeting: z.string().default("hello") }),
  messages: { greet: z.tuple([${schema}]) },
  start(context) {
    context.log(context.config.greeting + " from " + context.node);
    return { messages: { greet: (name) => context.config.greeting + ", " + ${name} } };
  },
});
`;
}

function dataDirOf(name: string): string {
  return join(directory, name);
}

async function startAgain(name: string): Promise<void> {
  await line(
    start([halondPath, "start", "--data-dir", dataDirOf(name)]),
    /^halond ready /m,
    readyMs,
  );
}

function running(name: string, node: string): Promise<ServiceStatus> {
  return waitForState(endpoint, name, "running", { node, deadlineMs: readyMs });
}

function logOf(name: string): Promise<string> {
  return ctl(endpoint, "service", "logs", name, "--on", "satellite");
}

function send(message: readonly string[]) {
  return halonctl(endpoint, "service", "send", "greeter", ...message);
}

/** Every wanted service, once both nodes are up and all of it runs. */
function wholeCluster(): Promise<readonly ServiceStatus[]> {
  return waitFor(
    "the cluster to be whole",
    async () => {
      const { cluster, nodes, services } = await status(endpoint);
      const rows = services.filter((row) => ["steady", "idle", "greeter"].includes(row.service));
      const isWhole = cluster.leader !== null && nodes.every(({ state }) => state === "up");
      if (isWhole && rows.length === 3 && rows.every(({ state }) => state === "running"))
        return rows;
      throw new Error(JSON.stringify({ cluster, nodes, rows }));
    },
    readyMs,
  );
}

function waitForNext({ service: name, node, incarnation }: ServiceStatus): Promise<ServiceStatus> {
  return waitFor(
    `the next incarnation of ${name}`,
    async () => {
      const row = await service(endpoint, name, node);
      if (row?.state === "running" && row.incarnation > incarnation) return row;
      throw new Error(JSON.stringify(row));
    },
    readyMs,
  );
}

async function lastIndex(): Promise<number> {
  return (await events(endpoint)).at(-1)?.index ?? 0;
}

const told = ["NodeTransient", "RecoveryAttempted", "NodeRecovered", "NodeGivenUp"];

/** Waits until the types of what was told of the recovery of a node are these, in this order. */
async function storyOf(node: string, since: number, wanted: RegExp): Promise<void> {
  await waitFor(
    `the story ${wanted}`,
    async () => {
      const entries = (await events(endpoint)).filter(
        (entry) =>
          entry.index > since && told.includes(entry.type) && field(entry, "node") === node,
      );
      const story = entries.map(({ type }) => type).join();
      if (wanted.test(story)) return true;
      throw new Error(story);
    },
    readyMs,
  );
}

function brief({ instance, osPid }: ServiceStatus) {
  return { instance, osPid };
}

function never(): never {
  throw new Error("the service is not there");
}
