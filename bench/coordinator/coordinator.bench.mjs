// Events per second that the coordinator decides and makes durable on a majority of its tracking nodes; without node links.
// After `npm run build`: node bench/coordinator/coordinator.bench.mjs [--tracking 3|1] [--seconds 4] [--directory DIR]
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const warmUpMs = 1_000;
const leadMs = 30_000;
const program = fileURLToPath(new URL("./tracking-node.mjs", import.meta.url));

const { values: options } = parseArgs({
  options: {
    tracking: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    directory: { type: "string", default: tmpdir() },
  },
});
const count = Number(options.tracking);
const runMs = Number(options.seconds) * 1_000;

console.log(
  `events of a declared type, one rule that writes its memory; ${count} tracking nodes in processes of their own, fsync on each`,
);
for (const sources of [1, 16, 256]) {
  const dir = mkdtempSync(join(options.directory, "halon-coordinator-"));
  const nodes = await startNodes(dir);
  try {
    const leader = await leaderOf(nodes);
    await ask(leader, { type: "prepare" });
    await ask(leader, { type: "measure", sources, forMs: warmUpMs });
    print(sources, await ask(leader, { type: "measure", sources, forMs: runMs }));
  } finally {
    await Promise.all(nodes.map(end));
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Every node is told of all: none looks for the others. */
async function startNodes(dir) {
  const cluster = randomUUID();
  const members = [];
  for (let at = 0; at < count; at++)
    members.push({ id: `AGNT-${randomUUID()}`, port: await freePort() });
  const founders = Object.fromEntries(members.map(({ id, port }) => [id, `127.0.0.1:${port}`]));
  return members.map(({ id, port }, at) => {
    const setting = { id, port, cluster, founders, dataDir: join(dir, `node-${at + 1}`) };
    return fork(program, [JSON.stringify(setting)]);
  });
}

/** The node whose coordinator was the first to say that it decides. */
function leaderOf(nodes) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`none led in ${leadMs} ms`)), leadMs);
    for (const node of nodes) {
      node.once("exit", (code) => reject(new Error(`a node ended with code ${code}`)));
      node.on("message", ({ type }) => {
        if (type !== "leading") return;
        clearTimeout(late);
        resolve(node);
      });
    }
  });
}

function ask(node, question) {
  return new Promise((resolve, reject) => {
    const listen = ({ type, answer, error }) => {
      if (type !== "answer") return;
      node.off("message", listen);
      if (error === undefined) resolve(answer);
      else reject(new Error(error));
    };
    node.on("message", listen);
    node.send(question);
  });
}

function end(node) {
  if (node.exitCode !== null || node.signalCode !== null) return undefined;
  const exited = new Promise((resolve) => node.once("exit", resolve));
  node.kill("SIGKILL");
  return exited;
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

function print(sources, { events, records, ms, p50, p99 }) {
  const perSecond = Math.round((events / ms) * 1_000);
  const batch = (events / records).toFixed(1);
  console.log(
    `${String(sources).padStart(3)} sources: ${String(perSecond).padStart(6)} events/s, ${batch} in a record, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
  );
}
