// The agency beside etcd and a ceiling, in one run: node bench/agency/agency.bench.mjs [options]; see README.md.
//   --only write64,memory   cases of speed.mjs, memory, failover
//   --without etcd          leaves out halon, etcd or ceiling
//   --against CHECKOUT      measures the halond of a second, built checkout too
//   --profile DIR           CPU profiles of our members, one a process
//   --quick                 one short round
//   --kills N               of our leader; etcd's is killed 5 times at most
//   --elections MINUTES     only this: elections under load
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countElections } from "./elections.mjs";
import { etcdVersion, startEtcd } from "./etcd.mjs";
import { measureFailover, printFailover } from "./failover.mjs";
import { startAgency } from "./halon.mjs";
import { measureMemory, printMemory } from "./memory.mjs";
import { startCeiling } from "./plain.mjs";
import { cases, measure, print, printAims } from "./speed.mjs";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    without: { type: "string", default: "" },
    against: { type: "string" },
    profile: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    kills: { type: "string" },
    elections: { type: "string" },
    "data-dir": { type: "string", default: tmpdir() },
  },
});
const list = (text) => text.split(",").filter((word) => word !== "");
const wanted =
  values.only === undefined ? [...Object.keys(cases), "memory", "failover"] : list(values.only);
const dir = mkdtempSync(join(values["data-dir"], "halon-bench-agency-"));
process.on("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));

const without = list(values.without);
const version = etcdVersion();
if (version === undefined && !without.includes("etcd")) {
  console.log("etcd is not installed, so it is left out: apt-get install -y etcd-server");
  without.push("etcd");
}
const nodeArgs =
  values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
const startsOf = {
  halon: (dir) => startAgency(dir, { nodeArgs }),
  ...(values.against && { against: (dir) => startAgency(dir, { root: values.against }) }),
  etcd: startEtcd,
  ceiling: startCeiling,
};
/** Starts of the contestants, each in a fresh directory. */
const starts = Object.fromEntries(
  Object.entries(startsOf)
    .filter(([name]) => !without.includes(name))
    .map(([name, begin]) => [name, () => begin(freshDir(name))]),
);
let directories = 0;
function freshDir(name) {
  const fresh = join(dir, `${name}-${directories++}`);
  mkdirSync(fresh);
  return fresh;
}

const memory = `${cpus().length} cores, Node ${process.versions.node}`;
console.log(
  `${memory}${version === undefined ? "" : `, etcd ${version}`}; three members each on loopback`,
);
if (values.elections !== undefined)
  await countElections(starts.halon, Number(values.elections) * 60_000);
else await compare();
process.exit(0);

async function compare() {
  const speeds = wanted.filter((name) => name in cases);
  if (speeds.length > 0) await compareSpeed(speeds);
  if (wanted.includes("memory")) {
    const requests = values.quick ? 20_000 : 100_000;
    printMemory(await measureMemory(starts, requests), requests);
  }
  if (wanted.includes("failover")) await compareFailover();
}

async function compareSpeed(speeds) {
  const clusters = {};
  for (const [name, begin] of Object.entries(starts)) clusters[name] = await begin();
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const times = values.quick ? { warmMs: 1_000, forMs: 2_000 } : { warmMs: 1_500, forMs: 6_000 };
  const results = await measure(clusters, speeds, { rounds, ...times });
  // A profile is written when a process ends by itself.
  const signal = values.profile === undefined ? "SIGKILL" : "SIGTERM";
  await Promise.all(Object.values(clusters).map((cluster) => cluster.stop(signal)));
  print(results);
  console.log("");
  printAims(results);
}

async function compareFailover() {
  const kills = Number(values.kills ?? (values.quick ? 3 : 20));
  const results = {};
  for (const name of ["halon", "against", "etcd"]) {
    if (starts[name] === undefined) continue;
    const cluster = await starts[name]();
    results[name] = await measureFailover(cluster, name === "etcd" ? Math.min(kills, 5) : kills);
    await cluster.stop();
  }
  printFailover(results);
}
