import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  halond,
  halondOf,
  isRunning,
  kill,
  line,
  type Node,
  project,
  root,
  run,
  type ServiceStatus,
  start,
  startCluster,
  status,
  temporaryDirectory,
  waitFor,
  waitForState,
} from "./cluster.ts";
import { echoServer, processService, workerService } from "./services.ts";

afterEach(cleanUp);

const names = ["node-1", "node-2", "node-3"] as const;

/** Deployments on every node: two processes and a worker; and one that is exclusive in the cluster. */
const everywhere = ["steady", "second", "thread"];
const exclusive = "sole";

test("a rolling upgrade to another build stops no process, and starts the workers again", {
  timeout: 240_000,
}, async () => {
  const cluster = await startServices();
  const before = await allRunning(cluster.endpoint);
  const { node } = await soleOf(cluster.endpoint);
  const build = buildOf("7.8.9-next");
  expect((await run([halondIn(build), "version"])).stdout.trim()).toContain("7.8.9-next");

  for (const name of names) {
    const dataDir = join(cluster.dataDir, name);
    // The sequence of the README, "Upgrade".
    await ctl(cluster.endpointOf(name), "node", "maintenance", name, "on", "--reason", "upgrade");
    const stopped = await halond("stop", "--data-dir", dataDir, "--keep-services");
    expect(stopped).toMatchObject({ code: 0 });
    for (const { osPid = 0 } of processesOn(before, name)) expect(isRunning(osPid)).toBe(true);
    await line(start([halondIn(build), "start", "--data-dir", dataDir]), /^halond ready /m);
    await ctl(cluster.endpointOf(name), "node", "maintenance", name, "off");
    await ctl(cluster.endpointOf(name), "wait", "cluster", "--for", "healthy");

    const after = await allRunning(cluster.endpointOf(name));
    expect(pidsOf(after)).toEqual(pidsOf(before));
    // It has run on, or ended with its lease and started again: it has not moved.
    expect((await soleOf(cluster.endpointOf(name))).node).toBe(node);
    expect(await versionOf(cluster.endpointOf(name), name)).toBe("7.8.9-next");
  }
  const threads = (rows: readonly ServiceStatus[]) =>
    rows.filter(({ osPid }) => osPid === undefined).map(({ incarnation }) => incarnation);
  expect(threads(before)).toEqual([1, 1, 1]);
  expect(threads(await allRunning(cluster.endpoint))).toEqual([2, 2, 2]);
});

test("after kill -9 of every halond at once each process is adopted, and the graph is true 3 s after they are back", async () => {
  const cluster = await startServices();
  const before = await allRunning(cluster.endpoint);
  for (const name of names) kill(halondOf(join(cluster.dataDir, name)), "SIGKILL");
  await cluster.launcher.ended;
  for (const { osPid = 0 } of before.filter(isProcess)) expect(isRunning(osPid)).toBe(true);
  // One ends while nobody looks, so that the graph of before is not the true one.
  const victim = before.filter(isProcess).at(-1);
  kill(victim?.osPid ?? 0, "SIGKILL");

  const relaunch = startCluster(cluster.dataDir);
  const leader = await waitFor("a node to lead", () =>
    Promise.any(
      names.map(async (name) => {
        const told = await status(cluster.endpointOf(name));
        if (told.cluster.leader !== name) throw new Error(`${name} does not lead`);
        return cluster.endpointOf(name);
      }),
    ),
  );
  const ledAt = performance.now();
  await relaunch;
  await waitFor(
    "the graph to be true",
    async () => {
      const { services } = await status(leader);
      const rows = services.filter(isEverywhere);
      const wrong = rows.filter((row) => !isTrue(row));
      if (rows.length === before.length && wrong.length === 0) return true;
      throw new Error(JSON.stringify(wrong));
    },
    3_000,
  );
  console.log(`the graph was true ${Math.round(performance.now() - ledAt)} ms after a node led`);
  const after = await allRunning(leader);
  const survivors = before.filter((row) => row !== victim);
  expect(pidsOf(after)).toMatchObject(pidsOf(survivors));
  expect(pidsOf(after)).not.toHaveProperty([victim?.instance ?? ""]);
  await soleOf(leader);
});

interface Cluster {
  readonly launcher: Node;
  readonly dataDir: string;
  readonly endpoint: string;
  endpointOf(name: string): string;
}

async function startServices(): Promise<Cluster> {
  const directory = temporaryDirectory();
  const services = everywhere.map((name) => {
    const type = name === "thread" ? "thread" : "steady";
    return `{ name: "${name}", type: "./${type}.service.ts", on: "every-node" }`;
  });
  services.push(`{ name: "${exclusive}", type: "./steady.service.ts", exclusive: "cluster" }`);
  const file = project(join(directory, "project"), {
    "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [${services.join(", ")}] });
`,
    "steady.service.ts": processService("steady"),
    "thread.service.ts": workerService("thread"),
    "echo.mjs": echoServer,
  });
  const launcher = await startCluster(join(directory, "data"), { args: ["--apply", file] });
  const { nodes } = await status(launcher.endpoint);
  const addresses = new Map(nodes.map(({ name, address }) => [name, `http://${address}`]));
  return {
    launcher,
    dataDir: launcher.dataDir,
    endpoint: launcher.endpoint,
    endpointOf: (name) => addresses.get(name) ?? "",
  };
}

function isEverywhere({ service }: ServiceStatus): boolean {
  return everywhere.includes(service);
}

/** Whether what is told of an instance after the end of every halond is so: its workers ended, processes did not. */
function isTrue({ state, osPid, incarnation }: ServiceStatus): boolean {
  if (state !== "running") return state !== "unknown";
  return osPid === undefined ? incarnation > 1 : isRunning(osPid);
}

function isProcess({ osPid }: ServiceStatus): boolean {
  return osPid !== undefined;
}

function processesOn(rows: readonly ServiceStatus[], name: string): readonly ServiceStatus[] {
  return rows.filter(({ node, osPid }) => node === name && osPid !== undefined);
}

/** Instance and pid of every OS process. */
function pidsOf(rows: readonly ServiceStatus[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    rows.flatMap(({ instance, osPid }) => (osPid ? [[instance, osPid]] : [])),
  );
}

/** The exclusive service, once it runs. */
function soleOf(endpoint: string): Promise<ServiceStatus> {
  return waitForState(endpoint, exclusive, "running");
}

/** What is wanted on each node, once all of it runs. */
function allRunning(endpoint: string): Promise<readonly ServiceStatus[]> {
  return waitFor("everything to run", async () => {
    const { services, nodes, cluster } = await status(endpoint);
    const rows = services.filter(isEverywhere);
    const isWhole = cluster.leader !== null && nodes.every(({ state }) => state === "up");
    if (isWhole && rows.length === 9 && rows.every(({ state }) => state === "running")) return rows;
    throw new Error(JSON.stringify({ nodes, rows }));
  });
}

async function versionOf(endpoint: string, name: string): Promise<unknown> {
  return JSON.parse(await ctl(endpoint, "node", "show", name, "-o", "json")).version;
}

/** The present build under another version, in a directory of its own. */
function buildOf(version: string): string {
  const directory = temporaryDirectory();
  for (const name of readdirSync(join(root, "packages"))) {
    const [from, to] = [join(root, "packages", name), join(directory, "packages", name)];
    mkdirSync(to, { recursive: true });
    for (const part of ["dist", "bin"].filter((each) => existsSync(join(from, each))))
      cpSync(join(from, part), join(to, part), { recursive: true, force: true });
    const manifest = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    writeFileSync(join(to, "package.json"), JSON.stringify({ ...manifest, version }));
  }
  const modules = join(directory, "node_modules");
  mkdirSync(join(modules, "@halon"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules")))
    if (name !== "@halon") symlinkSync(join(root, "node_modules", name), join(modules, name));
  for (const name of readdirSync(join(root, "packages")))
    symlinkSync(join("../../packages", name), join(modules, "@halon", name));
  return directory;
}

function halondIn(build: string): string {
  return join(build, "packages/cli/bin/halond.js");
}
