// What a million keys cost: node bench/agency/keys.bench.mjs [options]; see README.md.
//   --keys 1000000    --only flat,nested    --sizes 1,3    --quick (100,000 keys, one member)
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { diskBytes, largestSnapshot, watchSnapshot } from "./disk.mjs";
import { ask, settled, startAgency } from "./halon.mjs";
import { load, pause, residentMb, until } from "./processes.mjs";
import { count, heading, row, verdict } from "./table.mjs";

const { values } = parseArgs({
  options: {
    keys: { type: "string" },
    only: { type: "string", default: "flat,nested" },
    sizes: { type: "string" },
    quick: { type: "boolean", default: false },
    "data-dir": { type: "string", default: tmpdir() },
  },
});
const keys = Number(values.keys ?? (values.quick ? 100_000 : 1_000_000));
const sizes = (values.sizes ?? (values.quick ? "1" : "1,3")).split(",").map(Number);
const latencyAt = [1_000, 100_000, 1_000_000].filter((at) => at <= keys);
const batch = 1_000;
const inFlight = 4;
const dir = mkdtempSync(join(values["data-dir"], "halon-bench-keys-"));
process.on("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));

/** Path of a key, and the load that writes such keys. */
const shapes = {
  flat: { path: (at) => `/flat/k${at}`, kind: "agency-flat" },
  nested: {
    path: (at) => `/nested/a${at % 1_000}/b${Math.floor(at / 1_000)}`,
    kind: "agency-nested",
  },
};

for (const shape of values.only.split(",")) for (const size of sizes) await measure(shape, size);
process.exit(0);

async function measure(shape, size) {
  const within = join(dir, `${shape}-${size}`);
  mkdirSync(within);
  const cluster = await startAgency(within, { size });
  console.log(`\n${count(keys)} keys, ${shape}, ${size === 1 ? "one member" : `${size} members`}`);
  heading("writes of one client", ["keys", "p50 ms", "p99 ms", "max ms"]);
  const p50s = [];
  let filled = 0;
  let fillMs = 0;
  for (const at of latencyAt) {
    fillMs += await fill(cluster, shape, filled, at);
    filled = at;
    const latency = await oneClient(cluster, shape, at);
    p50s.push(latency.p50);
    row("", [count(at), latency.p50.toFixed(2), latency.p99.toFixed(2), latency.max.toFixed(1)]);
  }
  fillMs += await fill(cluster, shape, filled, keys);
  say("filled", `${count((keys * 1_000) / fillMs)} keys/s`);
  verdict("p50 with all keys / p50 with 1,000", p50s.at(-1) / p50s[0], "<=", 1.5);
  await settled(cluster.members);
  say("memory of each member", `${memory(cluster)} MB`);
  await measureSnapshot(cluster, shape);
  say("memory of each member after that", `${memory(cluster)} MB`);
  await measureDisk(cluster, shape);
  await measureRestart(cluster, shape);
  await cluster.stop();
}

/** Sends keys `from` to `to` by batches, some of them on their way at a time; gives the time in ms. */
async function fill(cluster, shape, from, to) {
  const leader = await cluster.leader();
  const start = performance.now();
  let next = from;
  const client = async () => {
    while (next < to) {
      const first = next;
      next = Math.min(to, first + batch);
      await ask(leader, "/_api/agency/write", batchOf(shape, first, next), 120_000);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return performance.now() - start;
}

function batchOf(shape, from, to) {
  const { path } = shapes[shape];
  const writes = [];
  for (let at = from; at < to; at++) writes.push(`[{"${path(at)}":{"op":"set","new":${at}}}]`);
  return `[${writes.join()}]`;
}

async function oneClient(cluster, shape, keys) {
  const { port } = await cluster.leader();
  const { kind } = shapes[shape];
  const job = { kind, host: "127.0.0.1", port, keys, clients: 1 };
  return load({ ...job, warmMs: 500, forMs: 3_000 });
}

/** Writes all keys again until the leader has taken a snapshot. */
async function measureSnapshot(cluster, shape) {
  const leader = await cluster.leader();
  const state = { ended: false };
  const snapshot = watchSnapshot(leader.dir, 600_000).finally(() => {
    state.ended = true;
  });
  while (!state.ended)
    for (let at = 0; at < keys && !state.ended; at += batch * 10)
      await fill(cluster, shape, at, Math.min(keys, at + batch * 10));
  const { ms, bytes } = await snapshot;
  say("a snapshot", `${ms.toFixed(0)} ms, ${megabytes(bytes)} MB`);
}

async function measureDisk(cluster, shape) {
  await settled(cluster.members);
  await pause(2_000);
  const live = treeBytes(shape);
  const leader = await cluster.leader();
  const disk = diskBytes(leader.dir);
  const snapshot = largestSnapshot(leader.dir);
  const sizes = `${megabytes(disk)} MB, newest snapshot ${megabytes(snapshot)} MB`;
  say("disk of the leader", `${sizes}, the tree as JSON ${megabytes(live)} MB`);
  verdict("disk / the tree as JSON", disk / live, "<=", 3);
}

/** All members are killed and started; the first read of a key that is answered ends it. */
async function measureRestart(cluster, shape) {
  await cluster.stop("SIGKILL");
  const start = performance.now();
  for (const member of cluster.members) cluster.restart(member);
  const body = JSON.stringify([[shapes[shape].path(keys - 1)]]);
  const read = async () => {
    const leader = await cluster.leader();
    return ask(leader, "/_api/agency/read", body);
  };
  const text = await until("read", read, 120_000, 20);
  if (!text.includes(String(keys - 1))) throw new Error(`a key is lost: ${text}`);
  verdict("restart to the first read, s", (performance.now() - start) / 1_000, "<=", 5);
}

function treeBytes(shape) {
  let bytes = 0;
  for (let at = 0; at < keys; at++) {
    const path = shapes[shape].path(at);
    bytes += path.length - path.lastIndexOf("/") - 1 + String(at).length + '"":,'.length;
  }
  return bytes;
}

function memory(cluster) {
  return cluster.members.map(({ child }) => residentMb(child.pid).toFixed(0)).join(" / ");
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

function say(what, text) {
  console.log(`${what.padEnd(34)}${text}`);
}
