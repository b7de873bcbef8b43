// Kills and pauses services, satellites and tracking nodes under load, and checks that nothing acknowledged is lost:
//   clients.mjs   eight clients and their ledger; an event is sent again under its id until it is acknowledged
//   operator.mjs  starts, stops, restarts and checks, and what was told of their end
//   faults.mjs    rounds of two faults, one of them at a failpoint; the seed fixes kinds and times, and places but the leader's
//   stale.mjs     with --stale, instead of rounds: leaders are paused with commands on their way, while others take over
//   reality.mjs   after each round: nodes, processes and held names by the kernel, against the graph
//   verify.mjs    at the end: ledger, effects and oracle, and one history on all tracking nodes
// Each service instance first binds a socket of its service name and node; one that finds it taken says so in
// oracle.txt. A run that fails keeps its directory.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startClients } from "./clients.mjs";
import { Cluster } from "./cluster.mjs";
import { describe, Faults, failpointsOf, schedule } from "./faults.mjs";
import { Operator } from "./operator.mjs";
import { createRandom } from "./random.mjs";
import { pauseWithCommands } from "./stale.mjs";
import { readHistory, verifyEffects, verifyLedger, verifyOracle } from "./verify.mjs";

const ratePerSecondMin = 50;
const settleMs = 20_000;
/** A cluster that settles late is a violation; what comes after it shall not be blamed for that. */
const settleLateMs = 60_000;
const pollMs = 100;
const violationsShownMax = 50;

const { seed, seconds, nodes, tracking, storeUrl, stale } = options();
const run = `${process.pid}-${seed}`;
// A cluster keeps its prefix for ever, so each run has its own.
const store = storeUrl && `${storeUrl}/halon-chaos-${run}`;
const directory = mkdtempSync(join(tmpdir(), "halon-chaos-"));
const violations = [];
const startedAt = performance.now();
const cluster = await Cluster.create({ directory, run, nodes, tracking, store, violate });

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, async () => {
    say(`${signal}: ends everything`);
    await cluster.abandon();
    rmSync(directory, { recursive: true, force: true });
    process.exit(130);
  });
}

console.log(
  `chaos: seed ${seed}, ${seconds} s, ${nodes} nodes, ${tracking} of them tracking nodes, run ${run}, everything of it in ${directory}`,
);
try {
  summarize(await torment());
} catch (error) {
  violate(`the run broke off: ${error instanceof Error ? error.stack : error}`);
} finally {
  await cluster.abandon();
}
if (violations.length === 0) rmSync(directory, { recursive: true, force: true });
else
  console.log(
    `FAILED: ${violations.length} violations; look into ${directory} (<node>.log, oracle.txt, ledger.txt)`,
  );
process.exit(violations.length === 0 ? 0 : 1);

function options() {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      seconds: { type: "string", default: "300" },
      nodes: { type: "string", default: "5" },
      tracking: { type: "string", default: "3" },
      store: { type: "string" },
      stale: { type: "boolean", default: false },
    },
  });
  const [seed, seconds, nodes, tracking] = ["seed", "seconds", "nodes", "tracking"].map((name) =>
    Number(values[name]),
  );
  const isSize = [1, 3, 5, 7].includes(tracking) && Number.isInteger(nodes) && nodes >= tracking;
  if (!Number.isInteger(seed) || !(seconds > 0) || !isSize || (values.stale && tracking === 1)) {
    console.error(
      "usage: npm run chaos -- [--seed N] [--seconds N] [--nodes N] [--tracking 1|3|5|7] [--store etcd://HOST:PORT] [--stale]\n--stale needs three tracking nodes",
    );
    process.exit(2);
  }
  return { seed, seconds, nodes, tracking, storeUrl: values.store, stale: values.stale };
}

function violate(text) {
  violations.push(text);
  if (violations.length <= violationsShownMax) say(`VIOLATION ${text}`);
}

function say(text) {
  const at = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
  console.log(`${at} s ${text}`);
}

async function torment() {
  await cluster.start();
  await settle();
  say("the cluster runs");
  const ledgerPath = join(directory, "ledger.txt");
  const clients = startClients({ cluster, run, ledgerPath, violate });
  const operator = new Operator({ cluster, random: createRandom(seed + 1_000_003), violate });
  const faults = new Faults({ cluster, violate });
  const settledMs = [];
  const endAt = performance.now() + seconds * 1_000;
  let rounds = 0;
  const refused = stale && (await pauseWithCommands({ cluster, violate, say, settle, endAt }));
  for (const round of stale ? [] : schedule(createRandom(seed), cluster)) {
    if (performance.now() >= endAt) break;
    rounds += 1;
    say(`#${rounds} ${describe(round)}`);
    await faults.run(round);
    settledMs.push(await settle());
  }
  const load = await clients.stop();
  const operations = await operator.stop();
  await faults.killAll(500);
  settledMs.push(await settle());
  const history = await readHistory({ cluster, violate });
  verifyLedger({ ledgerPath, history, violate });
  await verifyEffects({ cluster, history, violate });
  await operator.verify(history);
  await cluster.stop();
  verifyOracle({ oraclePath: cluster.oraclePath, violate });
  return { rounds, load, operations, faults, settledMs, history, refused };
}

/** Waits until the graph equals what really runs, and all that is wanted runs; gives how long that took in ms. */
async function settle() {
  const since = performance.now();
  let isLate = false;
  for (;;) {
    const found = await cluster.compare();
    const tookMs = performance.now() - since;
    if (found.length === 0) return tookMs;
    if (tookMs > settleMs && !isLate) {
      isLate = true;
      violate(
        `${settleMs} ms after the last fault the graph and what runs still differ: ${found.join("; ")}. Compare halonctl status with ps, and see ${directory}/*.log`,
      );
    }
    if (tookMs > settleLateMs) throw new Error(`the cluster does not settle: ${found.join("; ")}`);
    await delay(pollMs);
  }
}

function summarize({ rounds, load, operations, faults, settledMs, history, refused }) {
  const ms = (value) => (value === undefined ? "-" : `${Math.round(value)} ms`);
  const spread = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    return `p50 ${ms(sorted[Math.floor(sorted.length / 2)])}, max ${ms(sorted.at(-1))} of ${sorted.length}`;
  };
  console.log(`
seed                ${seed}, ${rounds} rounds
events acknowledged ${load.acknowledged} (${load.retries} retries, ${load.unacknowledged} left unacknowledged)
rate                ${load.ratePerSecond.toFixed(1)} events/s, at least ${ratePerSecondMin} wanted; without the ${ms(load.apartMs)} of lost majorities
longest outage      ${ms(load.longestOutageMs)} without an acknowledgement although a majority answered
history             ${history.events} events, the same on ${cluster.trackingNodes.length} tracking nodes
operations          ${operations.operations} ended, ${operations.failed} of them as failed; ${operations.lostAnswers} answers lost
faults              ${[...faults.counts].map(([kind, count]) => `${kind} ${count}`).join(", ")}
takeover            ${spread(faults.takeoversMs)} (end or pause of a leader until another says that it leads)
convergence         ${spread(settledMs)}`);
  // Processes that start 50 times a second leave little of a small machine to anything else.
  if (load.ratePerSecond < ratePerSecondMin && !stale)
    violate(
      `${load.ratePerSecond.toFixed(1)} events/s were acknowledged, ${ratePerSecondMin} are wanted`,
    );
  if (load.unacknowledged > 0)
    violate(`${load.unacknowledged} events were not acknowledged in the end`);
  if (stale) {
    console.log(
      `stale commands      ${refused.late} arrived late and were refused in ${refused.rounds} rounds; so were ${refused.own} that came by themselves`,
    );
    if (refused.late === 0) violate("no stale command was seen; let the run last longer");
    return;
  }
  for (const point of failpointsOf(cluster))
    if (!faults.counts.has(point))
      violate(`failpoint ${point} was never hit; let the run last longer`);
}
