// How long nothing is decided when the leader's halond is killed with SIGKILL, and a service of another node with it.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { clock } from "./contestants.mjs";
import { ms } from "./report.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const program = (name) => join(here, `../../packages/cli/bin/${name}.js`);
const readyMs = 60_000;
const decidedMs = 30_000;
const askMs = 2_000;
const retryMs = 5;
/** Between the return of a node and the next kill: what its return sets in motion is over by then. */
const restMs = 1_000;

/** Kills the leader so many times, and starts it again each time; two rows of times in ms. */
export async function killLeaders({ kills, dir, stamps }) {
  const cluster = await startTracking(dir, stamps);
  const acknowledged = [];
  const respawned = [];
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const leader = await cluster.settled();
      await sleep(restMs);
      const followers = cluster.nodes.filter((node) => node !== leader);
      const asked = followers[kill % 2];
      const victim = `leader/${followers[(kill + 1) % 2].name}`;
      const diedAt = process.hrtime.bigint();
      leader.child.kill("SIGKILL");
      process.kill(stamps.pid(victim), "SIGKILL");
      const [ackedAt, spawnedAt] = await Promise.all([
        submit(asked, kill),
        stamps.after(victim, diedAt, decidedMs),
      ]);
      acknowledged.push(ms(diedAt, ackedAt));
      respawned.push(ms(diedAt, spawnedAt));
      cluster.spawn(leader);
    }
  } finally {
    await cluster.stop();
  }
  return [
    { name: "event to a follower: acknowledged", values: acknowledged },
    { name: "service of a follower: respawned", values: respawned },
  ];
}

/** Asks the follower until the event is acknowledged; gives the time of that. */
async function submit(node, kill) {
  const deadline = performance.now() + decidedMs;
  while (performance.now() < deadline) {
    try {
      const answer = await fetch(`${node.endpoint}/v1/events`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: `kill-${process.pid}-${kill}`, type: "Said", data: { kill } }),
        signal: AbortSignal.timeout(askMs),
      });
      await answer.arrayBuffer();
      if (answer.ok) return process.hrtime.bigint();
    } catch {
      // The connection to the leader was lost on the way: the same id asks again.
    }
    await sleep(retryMs);
  }
  throw new Error(`no event was acknowledged in ${decidedMs} ms after kill ${kill}`);
}

/** Three tracking nodes, each a process that can be killed and started again. */
async function startTracking(dir, stamps) {
  const names = ["node-1", "node-2", "node-3"];
  const nodes = [];
  for (const name of names) nodes.push({ name, port: await freePort() });
  const spawnNode = (node) => {
    node.endpoint = `http://127.0.0.1:${node.port}`;
    node.child = spawn(
      process.execPath,
      [
        program("halond"),
        ...["start", "--name", node.name, "--data-dir", join(dir, node.name)],
        ...["--listen", `127.0.0.1:${node.port}`, "--agency-size", "3", "--log.level", "error"],
        ...(node === nodes[0] ? [] : ["--join", `127.0.0.1:${nodes[0].port}`]),
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
  };
  mkdirSync(dir, { recursive: true });
  for (const node of nodes) spawnNode(node);
  const settled = () => waitForLeader(nodes, names.length);
  try {
    await waitForLeader(nodes, names.length);
    await apply(nodes[0], dir, stamps);
    for (const name of names) await stamps.after(`leader/${name}`, 0n, readyMs);
  } catch (error) {
    await stopAll(nodes);
    throw error;
  }
  return { nodes, settled, spawn: spawnNode, stop: () => stopAll(nodes) };
}

async function apply(node, dir, stamps) {
  const file = join(dir, "cluster.json");
  const config = { stamps: stamps.path, label: "leader", clock };
  const services = [{ type: join(here, "victim.service.ts"), on: "every-node", config }];
  writeFileSync(file, JSON.stringify({ services, rules: [join(here, "said.rules.ts")] }));
  const args = [program("halonctl"), "apply", "-f", file, "--wait", "--endpoint", node.endpoint];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(`halonctl apply ended with code ${code}`);
}

/** The node that leads, once all agree on it, all are up, and all their services run. */
async function waitForLeader(nodes, count) {
  const deadline = performance.now() + readyMs;
  let last;
  while (performance.now() < deadline) {
    try {
      const told = await Promise.all(nodes.map(askStatus));
      last = told.map(({ cluster }) => cluster.leader).join();
      const [first] = told;
      const agree = told.every(({ cluster }) => cluster.leader === first.cluster.leader);
      const areUp = first.nodes.filter(({ state }) => state === "up").length === count;
      const run = first.services.every(({ state }) => state === "running");
      const leader = nodes.find(({ name }) => name === first.cluster.leader);
      if (agree && areUp && run && leader !== undefined) return leader;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  throw new Error(`the nodes did not agree on a leader in ${readyMs} ms: ${last}`);
}

async function askStatus({ endpoint }) {
  const answer = await fetch(`${endpoint}/v1/status`, { signal: AbortSignal.timeout(askMs) });
  return answer.json();
}

async function stopAll(nodes) {
  for (const { child } of nodes) {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await exited;
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
