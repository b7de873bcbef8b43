// Many worker services on one node: how long all take to start, what they cost, and how quickly one of them is back.
// After `npm run build`: node bench/workers/workers.bench.mjs [--services 1000] [--kills 40] [--root CHECKOUT]
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { quantile } from "../recovery/report.mjs";
import { Stamps } from "../recovery/stamps.mjs";

const readyMs = 120_000;
const restMs = 700;
const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

const { values: options } = parseArgs({
  options: {
    services: { type: "string", default: "1000" },
    kills: { type: "string", default: "40" },
    root: { type: "string", default: root },
  },
});
const count = Number(options.services);
const kills = Number(options.kills);

console.log(`one halond with one tracking node, worker services, ${kills} kills each`);
const rows = {};
for (const [title, file, services] of [
  ["one, own thread", "alone.service.ts", 1],
  ["one, shared thread", "many.service.ts", 1],
  [`${count}, shared threads`, "many.service.ts", count],
]) {
  rows[title] = await measure(file, services);
}
console.table(rows);

async function measure(file, services) {
  const dir = mkdtempSync(join(tmpdir(), "halon-workers-"));
  const stamps = new Stamps(join(dir, "stamps"));
  const labels = Array.from({ length: services }, (_, at) => `w-${at}`);
  const halond = await startNode(dir);
  try {
    const before = memoryMb(halond.child.pid);
    const began = process.hrtime.bigint();
    await promisify(execFile)(process.execPath, [
      join(options.root, "packages/cli/bin/halonctl.js"),
      ...["apply", "-f", clusterFile(dir, stamps, file, labels), "-e", halond.endpoint],
    ]);
    const applied = process.hrtime.bigint();
    let last = 0n;
    for (const label of labels) {
      const at = await stamps.after(`ready/${label}`, 0n, readyMs);
      if (at > last) last = at;
    }
    await sleep(2_000);
    const memory = memoryMb(halond.child.pid);
    const cpu = await cpuShare(halond.child.pid);
    const times = [];
    for (let round = 0; round < kills; round++) {
      const label = labels[(round * 97) % labels.length];
      times.push(await killOne(stamps, label));
      await sleep(restMs);
    }
    return {
      applyMs: Number((applied - began) / 1_000_000n),
      allReadyMs: Number((last - began) / 1_000_000n),
      memoryMb: Math.round(memory),
      grownMb: Math.round(memory - before),
      idleCpu: `${cpu.toFixed(1)} %`,
      p50Ms: Number(quantile(times, 0.5).toFixed(2)),
      p99Ms: Number(quantile(times, 0.99).toFixed(2)),
    };
  } finally {
    await halond.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** From the stamp before it throws to the stamp when it is ready again. */
async function killOne(stamps, label) {
  const asked = process.hrtime.bigint();
  const socket = connect(`\0${stamps.path}/${label}`);
  socket.on("error", () => undefined);
  const diedAt = await stamps.after(`death/${label}`, asked, 5_000);
  socket.destroy();
  const readyAt = await stamps.after(`ready/${label}`, diedAt, readyMs);
  return Number(readyAt - diedAt) / 1e6;
}

function clusterFile(dir, stamps, file, labels) {
  const path = join(dir, "cluster.ts");
  const services = labels.map((label) => ({
    type: join(here, file),
    name: label,
    config: { stamps: stamps.path, label },
  }));
  writeFileSync(
    path,
    `import { defineCluster } from "@halon/service";
export default defineCluster({ services: ${JSON.stringify(services)} });
`,
  );
  return path;
}

async function startNode(dir) {
  const data = join(dir, "data");
  mkdirSync(data);
  const child = spawn(
    process.execPath,
    [
      join(options.root, "packages/cli/bin/halond.js"),
      ...["start", "--local", "1", "--data-dir", data, "--listen", "127.0.0.1:0"],
      ...["--log.level", "error"],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  const endpoint = await new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`halond ended with code ${code}: ${output}`)));
    child.stdout.on("data", (chunk) => {
      output += chunk;
      const found = /cluster ready endpoint=(\S+)/.exec(output);
      if (found !== null) resolve(found[1]);
    });
  });
  const stop = () =>
    new Promise((resolve) => {
      child.removeAllListeners("exit");
      if (child.exitCode !== null) return resolve();
      child.once("exit", resolve);
      child.kill("SIGTERM");
    });
  return { child, endpoint, stop };
}

/** The process and all below it, in MiB. */
function memoryMb(pid) {
  let kib = 0;
  for (const each of family(pid)) {
    const status = readFileSync(`/proc/${each}/status`, "utf8");
    kib += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  }
  return kib / 1_024;
}

async function cpuShare(pid) {
  const ticks = () =>
    family(pid).reduce((sum, each) => {
      const fields = readFileSync(`/proc/${each}/stat`, "utf8").split(") ")[1].split(" ");
      return sum + Number(fields[11]) + Number(fields[12]);
    }, 0);
  const before = ticks();
  await sleep(3_000);
  return (ticks() - before) / 3;
}

function family(pid) {
  const parents = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      parents.set(Number(name), Number(stat.split(") ")[1].split(" ")[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = [pid];
  for (const each of found)
    for (const [child, parent] of parents) if (parent === each) found.push(child);
  return found;
}
