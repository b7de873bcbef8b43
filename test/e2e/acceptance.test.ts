import { rmSync } from "node:fs";
import { join } from "node:path";
import { EventEntry } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  field,
  halonctl,
  halondOf,
  host,
  isRunning,
  kill,
  line,
  type Node,
  ownServices,
  processesOf,
  project,
  root,
  service,
  start,
  startCluster,
  startNode,
  status,
  temporaryDirectory,
  waitFor,
  waitForState,
} from "./cluster.ts";
import { echoServer, processService } from "./services.ts";

afterEach(cleanUp);

/** What `npm start` runs, on free ports. */
function startHello(): Promise<Node> {
  return startCluster(temporaryDirectory(), { launcher: join(root, "examples/hello/start.mjs") });
}

test("npm start runs three nodes and all that the cluster file wants, and SIGINT leaves no process behind", async () => {
  const hello = await startHello();
  expect(hello.output()).toContain(`cluster ready endpoint=${hello.endpoint} dashboard=`);
  expect(new URL(hello.endpoint).hostname).toBe(host);
  const seen = await status(hello.endpoint);
  const { cluster, nodes } = seen;
  const services = ownServices(seen);
  expect(cluster.state).toBe("healthy");
  expect(nodes.map(({ name }) => name)).toContain(cluster.leader);
  expect(nodes.map(({ name, state }) => `${name} ${state}`)).toEqual([
    "node-1 up",
    "node-2 up",
    "node-3 up",
  ]);
  expect(services.map((row) => `${row.service} ${row.state}`)).toEqual([
    ...Array<string>(3).fill("ping running"),
    ...Array<string>(2).fill("web running"),
  ]);
  const shown = await ctl(hello.endpoint, "status");
  for (const row of services) expect(shown).toContain(row.node);

  expect(processesOf(hello.dataDir).length).toBeGreaterThan(4);
  hello.signal("SIGINT");
  expect((await hello.ended).code).toBe(0);
  expect(processesOf(hello.dataDir)).toEqual([]);
});

test("a killed process runs again as the next incarnation, and the event list tells why", async () => {
  const { endpoint } = await startHello();
  const before = await waitForState(endpoint, "web", "running");
  const { node, osPid = 0 } = before;
  await waitFor("the web to have been healthy for its resetAfter", () =>
    Date.now() - Date.parse(before.since) > 600 ? true : undefined,
  );
  kill(osPid, "SIGKILL");
  const after = await waitFor("the next incarnation", async () => {
    const row = await service(endpoint, "web", node);
    return row?.state === "running" && row.incarnation === before.incarnation + 1 ? row : undefined;
  });
  expect(after.osPid).not.toBe(osPid);
  const story = EventEntry.array().parse(
    JSON.parse(await ctl(endpoint, "event", "list", "-o", "json")),
  );
  const failed = story.findIndex(
    (entry) => entry.type === "ServiceFailed" && field(entry, "instance") === before.instance,
  );
  const rules = story[failed]?.rules ?? [];
  expect(rules.map(({ rule }) => rule)).toContain("builtin/restart-failed");
  expect(rules.map(({ rule }) => rule)).toContain("hello/tellFailures");
  const restart = rules.find(({ rule }) => rule === "builtin/restart-failed");
  expect(restart).toMatchObject({ why: expect.stringContaining(after.instance) });
  expect(restart?.commands.join()).toContain("StartService");
  expect(field(story[failed] ?? never(), "reason")).toContain("SIGKILL");
  const started = story.findIndex(
    (entry) => entry.type === "ServiceStarted" && field(entry, "instance") === after.instance,
  );
  expect(started).toBeGreaterThan(failed);
});

test("service commands do what they say", async () => {
  const { endpoint } = await startHello();
  const before = await waitForState(endpoint, "web", "running", { node: "node-1" });
  await ctl(endpoint, "service", "stop", "web", "--on", "node-1", "--reason", "a test");
  await waitForState(endpoint, "web", "stopped", { node: "node-1" });
  expect(await service(endpoint, "web", "node-2")).toMatchObject({ state: "running" });
  expect(isRunning(before.osPid ?? 0)).toBe(false);
  // The node that is asked may hear of the end of an operation before it sees what that did.
  const runsAs = (incarnation: number) =>
    waitFor(`incarnation ${incarnation} to run`, async () => {
      const found = await service(endpoint, "web", "node-1");
      return found?.state === "running" && found.incarnation === incarnation ? found : undefined;
    });
  await ctl(endpoint, "service", "start", "web");
  const started = await runsAs(before.incarnation + 1);
  await ctl(endpoint, "service", "restart", "web", "--on", "node-1");
  const restarted = await runsAs(before.incarnation + 2);
  expect(restarted?.osPid).not.toBe(started?.osPid);

  const check = JSON.parse(await ctl(endpoint, "service", "check", "ping", "-o", "json"));
  expect(check).toHaveLength(3);
  for (const { answer } of check) expect(answer).toEqual({ health: "ok" });
  const report = JSON.parse(await ctl(endpoint, "service", "status", "ping", "-o", "json"));
  expect(report[0].answer).toEqual({ report: { greeting: "pong", answered: 0 } });
  // Node 2 has this log, and node 1 is asked.
  const log = await ctl(endpoint, "service", "logs", "ping", "--on", "node-2");
  expect(log).toContain("ping starts on node-2");
  const unknown = await halonctl(endpoint, "service", "stop", "nothing");
  expect(unknown.code).toBe(3);
  expect(unknown.stderr).toContain("nothing");
});

test("an event of the cluster file's own type makes its rule restart a service", async () => {
  const { endpoint } = await startHello();
  await ctl(endpoint, "event", "emit", "GreetingChanged", '{"greeting":"hi"}');
  await waitFor("every ping to be at its second incarnation", async () => {
    const { services } = await status(endpoint);
    const pings = services.filter((row) => row.service === "ping");
    return pings.every((row) => row.incarnation === 2 && row.state === "running");
  });
});

test("a lost node is down within 2 s, what may move runs elsewhere, and its processes are adopted when it comes back", async () => {
  const directory = temporaryDirectory();
  const file = project(join(directory, "project"), {
    "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [
  { type: "./keeper.service.ts", on: { node: "node-3" }, onNodeLoss: "wait" },
  { type: "./mover.service.ts", on: "any-node", replicas: 3 },
  { type: "./mover.service.ts", name: "single", on: "any-node", replicas: 2 },
] });`,
    "keeper.service.ts": processService("keeper"),
    "mover.service.ts": processService("mover"),
    "echo.mjs": echoServer,
  });
  const dataDir = join(directory, "data");
  const { endpoint, ...launcher } = await startCluster(dataDir, { args: ["--apply", file] });
  const keeper = await waitForState(endpoint, "keeper", "running");
  const single = await waitForState(endpoint, "single", "running", { node: "node-2" });
  const startAgain = async (name: string) => {
    const output = () => launcher.output().split(`node ${name} was`)[1] ?? "";
    const command = await line({ ...launcher, output }, /^ {2}(\S+ \S+halond\.js start .*)$/m);
    start(command.split(" ").slice(1));
    await waitFor(`${name} to be up`, () => isNodeIn(endpoint, name, "up"));
  };

  // A node whose only duty can move.
  const lostAt = performance.now();
  kill(halondOf(join(dataDir, "node-2")), "SIGKILL");
  await waitFor("node-2 to be down", () => isNodeIn(endpoint, "node-2", "down"), 2_000);
  console.log(`node-2 was down after ${Math.round(performance.now() - lostAt)} ms`);
  expect(await ctl(endpoint, "node", "list")).toMatch(/node-2.*\bdown\b/);
  const moved = await waitForState(endpoint, "single", "running", { node: "node-3" });
  console.log(`its service ran elsewhere after ${Math.round(performance.now() - lostAt)} ms`);
  expect(moved.osPid).not.toBe(single.osPid);
  // Two of three must be there for anything to be decided.
  await startAgain("node-2");

  kill(halondOf(join(dataDir, "node-3")), "SIGKILL");
  await waitFor("node-3 to be down", () => isNodeIn(endpoint, "node-3", "down"), 2_000);
  expect(await service(endpoint, "keeper")).toMatchObject({ node: "node-3", state: "unknown" });
  expect(isRunning(keeper.osPid ?? 0)).toBe(true);
  await startAgain("node-3");
  const adopted = await waitForState(endpoint, "keeper", "running");
  expect(adopted).toMatchObject({ osPid: keeper.osPid, incarnation: keeper.incarnation });
  await waitForTruth(endpoint, dataDir);
});

test("after the death of every halond, a new start goes on with the same processes and the same wishes", async () => {
  const dataDir = temporaryDirectory();
  const file = join(root, "examples/hello/cluster.ts");
  const first = await startCluster(dataDir, { args: ["--apply", file] });
  const before = ownServices(await status(first.endpoint));
  for (const name of ["node-1", "node-2", "node-3"]) kill(halondOf(join(dataDir, name)), "SIGKILL");
  expect((await first.ended).code).toBe(1);
  const { endpoint } = await startCluster(dataDir);
  // Workers died with their node; OS processes were adopted.
  const wanted = before.map(({ service, node, instance, incarnation, osPid }) =>
    osPid === undefined ? `${service}@${node}#${incarnation + 1}` : `${instance} ${osPid}`,
  );
  await waitFor("all to run", async () => {
    const services = ownServices(await status(endpoint));
    const found = services.map(({ instance, osPid }) =>
      osPid === undefined ? instance : `${instance} ${osPid}`,
    );
    if (services.every(({ state }) => state === "running") && found.join() === wanted.join())
      return true;
    throw new Error(`expected ${wanted.join()}, found ${JSON.stringify(services)}`);
  });
  await waitForTruth(endpoint, dataDir);
});

test("a service starts by its hash where its source never was", async () => {
  const directory = temporaryDirectory();
  const source = join(directory, "project");
  const file = project(source, {
    "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [{ type: "./mover.service.ts", on: { label: "zone=a" } }] });`,
    "mover.service.ts": processService("mover"),
    "echo.mjs": echoServer,
  });
  const { endpoint } = await startNode(join(directory, "one"), ["--name", "node-1"]);
  const join2 = ["--join", endpoint.replace("http://", ""), "--label", "zone=a"];
  await startNode(join(directory, "two"), ["--name", "node-2", ...join2]);
  await ctl(endpoint, "apply", "-f", file);
  expect(await service(endpoint, "mover")).toMatchObject({ node: "node-2", state: "running" });
  rmSync(source, { recursive: true });
  await startNode(join(directory, "three"), ["--name", "node-3", ...join2], { cwd: "/" });
  kill(halondOf(join(directory, "two")), "SIGKILL");
  const moved = await waitForState(endpoint, "mover", "running", { node: "node-3" });
  expect(moved.incarnation).toBe(1);
  expect(await ctl(endpoint, "service", "logs", "mover", "--on", "node-3")).toContain("listening");
});

test("of two types with one service name, the second cannot start on a node and names the holder", async () => {
  const directory = temporaryDirectory();
  const type = (name: string, schema: string) =>
    `import { defineService, z } from "@halon/service";
export default defineService({ name: "${name}", serviceName: "shared", version: "1.0.0", config: z.object(${schema}), start() {} });`;
  const file = project(join(directory, "project"), {
    "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [{ type: "./first.service.ts" }, { type: "./second.service.ts" }] });`,
    "first.service.ts": type("first", "{ port: z.number().default(1) }"),
    "second.service.ts": type("second", '{ text: z.string().default("") }'),
  });
  const { endpoint } = await startNode(join(directory, "data"), ["--name", "node-1"]);
  const applied = await halonctl(endpoint, "apply", "-f", file);
  expect(applied.code).toBe(1);
  expect(applied.stderr).toContain("first@node-1#1");
  const first = await service(endpoint, "first");
  expect(first).toMatchObject({ state: "running", incarnation: 1 });
  const second = await waitForState(endpoint, "second", "broken");
  expect(second.reason).toContain("first@node-1#1");
  const [refused] = await events(endpoint, "ServiceCouldNotStart");
  expect(refused?.data).toMatchObject({ code: "HAL_NAME_TAKEN", holder: "first@node-1#1" });
});

async function isNodeIn(endpoint: string, name: string, state: string): Promise<boolean> {
  const { nodes } = await status(endpoint);
  return nodes.some((node) => node.name === name && node.state === state);
}

/** What the graph says of OS processes is what the machine has, on every node that is up. */
async function waitForTruth(endpoint: string, dataDir: string): Promise<void> {
  await waitFor("the graph to be true", async () => {
    const { nodes, services } = await status(endpoint);
    for (const { name } of nodes.filter((node) => node.state === "up")) {
      const home = join(dataDir, name, "services");
      const found = processesOf(dataDir).filter((each) => each.home === home);
      const told = services.filter((row) => row.node === name && row.osPid !== undefined);
      const pids = [found.map(({ pid }) => pid), told.map(({ osPid }) => osPid ?? 0)];
      const [real, shown] = pids.map((list) => list.sort((a, b) => a - b).join());
      if (real !== shown) throw new Error(`${name} has ${real}, the graph says ${shown}`);
      if (told.some(({ state }) => state !== "running")) throw new Error(JSON.stringify(told));
    }
    return true;
  });
}

function never(): never {
  throw new Error("the event is not in the list");
}
