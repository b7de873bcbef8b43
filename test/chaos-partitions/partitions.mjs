// Cuts, kills and pauses nodes of a real cluster in network namespaces, and judges that no exclusive service runs twice:
//   nodes.mjs     a `halond` in each namespace; ../chaos-agency/namespaces.mjs links that can be cut by pair and direction
//   services/     two exclusive services whose instances append time and fencing token to one file every 10 ms
//   lines.mjs     reads that file as it grows and judges it
//   faults.mjs    rounds; the seed fixes kinds, targets and times
// `--quiet SECONDS` makes no faults but loads every processor, and judges that no node is declared down.
// Exit codes: 0, 7 when a guarantee was broken, 1 when the run itself is worth nothing, 2 on wrong usage. A run that does not
// end with 0 keeps its directory.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createRandom } from "../chaos/random.mjs";
import {
  isInside,
  Namespaces,
  namespacesAreThere,
  runInside,
} from "../chaos-agency/namespaces.mjs";
import { carryOut, schedule } from "./faults.mjs";
import { Lines, nowMs } from "./lines.mjs";
import { Nodes } from "./nodes.mjs";

const services = ["writer-process", "writer-worker"];
const leaseMs = 2_000;
const wholeMs = 60_000;
const runsAgainMs = 30_000;
const violationsShownMax = 20;

const options = parseOptions();
if (!namespacesAreThere()) {
  console.log("skipped: network namespaces need root and CAP_NET_ADMIN");
  process.exit(0);
}
if (!isInside()) process.exit(await runInside(options.nodes));

const directory = mkdtempSync(join(tmpdir(), "halon-partitions-"));
const startedAt = performance.now();
const violations = [];
const shortcomings = [];
const network = new Namespaces();
const nodes = new Nodes({ network, directory, count: options.nodes, tracking: options.nodes });
const lines = new Lines(join(directory, "lines.txt"), violate);
const figures = { rounds: 0, outlasted: 0, moved: 0, again: [], down: [], twice: 0 };

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, async () => {
    await nodes.abandon();
    process.exit(130);
  });
}

console.log(
  `chaos:partitions: seed ${options.seed}, ${options.nodes} nodes, ${options.quiet ? `${options.quiet} s of load` : `${options.partitions} partitions`}, everything of it in ${directory}`,
);
try {
  await begin();
  if (options.quiet > 0) await load(options.quiet);
  else await torment();
} catch (error) {
  fallShort(`the run broke off: ${error instanceof Error ? error.stack : error}`);
} finally {
  await nodes.abandon();
  lines.read();
}
process.exit(conclude());

function parseOptions() {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      partitions: { type: "string", default: "200" },
      nodes: { type: "string", default: "3" },
      quiet: { type: "string", default: "0" },
    },
  });
  const parsed = Object.fromEntries(
    Object.entries(values).map(([name, text]) => [name, Number(text)]),
  );
  const isRight =
    Object.values(parsed).every((value) => Number.isInteger(value) && value >= 0) &&
    [3, 5].includes(parsed.nodes);
  if (!isRight) {
    console.error(
      "usage: npm run chaos:partitions -- [--seed N] [--partitions N] [--nodes 3|5] [--quiet SECONDS]",
    );
    process.exit(2);
  }
  return parsed;
}

function violate(text) {
  violations.push(text);
  if (violations.length <= violationsShownMax) say(`VIOLATION ${text}`);
}

function fallShort(text) {
  shortcomings.push(text);
  say(`INVALID ${text}`);
}

function say(text) {
  const at = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(7);
  console.log(`${at} s ${text}`);
}

async function begin() {
  for (const at of nodes.all) nodes.start(at);
  if ((await nodes.whenWhole(wholeMs)) === undefined) throw new Error("no cluster came to be");
  const type = (name) => fileURLToPath(new URL(`./services/${name}.service.ts`, import.meta.url));
  const config = { file: join(directory, "lines.txt") };
  await nodes.apply(
    { services: services.map((name) => ({ type: type(name), exclusive: "cluster", config })) },
    wholeMs,
  );
  for (const service of services) await whenWrites(service, 0, runsAgainMs);
  say("the cluster runs, and both services write");
}

/** Waits until an instance has written since `since`, on the clock of the lines. */
async function whenWrites(service, since, deadlineMs) {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const newest = lines.newest(service);
    if (newest !== undefined && newest.last > since) return newest;
    if (performance.now() > deadline) {
      fallShort(`${service} did not write for ${deadlineMs} ms`);
      return newest;
    }
    await delay(5);
  }
}

async function torment() {
  const random = createRandom(options.seed);
  for (const round of schedule(random)) {
    if (figures.rounds >= options.partitions || shortcomings.length > 5) break;
    figures.rounds += 1;
    const service = services[figures.rounds % services.length];
    const before = await whenWrites(service, nowMs() - 200, runsAgainMs);
    const holder = nodes.indexOf(before.node);
    const leader = (await nodes.leader()) ?? 0;
    let begunAt = 0;
    let begunWall = 0;
    const watch = { found: undefined, isOver: false };
    const watching = watchForNext(service, before, watch);
    await carryOut(round, {
      nodes,
      network,
      holder,
      leader,
      onBegun() {
        begunAt = nowMs();
        begunWall = Date.now();
      },
    });
    const after = await whenWrites(service, nowMs(), runsAgainMs);
    watch.isOver = true;
    await watching;
    await nodes.whenWhole(wholeMs);
    const hasMoved =
      after !== undefined && after.token > before.token && after.node !== before.node;
    const outlasts = round.forMs > leaseMs;
    if (outlasts) figures.outlasted += 1;
    if (hasMoved && outlasts) figures.moved += 1;
    const next = watch.found;
    const againMs = next === undefined ? undefined : next.first - begunAt;
    if (hasMoved && againMs !== undefined) figures.again.push(againMs);
    const lost = (await nodes.events("NodeLost", begunWall)).filter(
      ({ data }) => data.node === before.node,
    );
    const downMs = lost.length === 0 ? undefined : Date.parse(lost[0].time) - begunWall;
    if (hasMoved && downMs !== undefined) figures.down.push(downMs);
    say(
      `#${figures.rounds} ${round.kind} (${before.node}, ${service}, leader ${nodes.nameOf(leader)}), ${round.forMs} ms: ${
        hasMoved
          ? `moved to ${after.node}, down ${show(downMs)}, wrote again ${show(againMs)}`
          : after?.token === before.token
            ? "stayed"
            : "started again there"
      }`,
    );
  }
}

/** Notes the first instance after `before`, as soon as it writes: it may be gone itself when the round ends. */
async function watchForNext(service, before, watch) {
  while (!watch.isOver && watch.found === undefined) {
    const newest = lines.newest(service);
    if (newest !== undefined && newest.token > before.token) watch.found = newest;
    await delay(10);
  }
}

/** Full load on every processor, with a few more spinners than there are: nothing fails, so nothing may be declared down. */
async function load(seconds) {
  const spinners = Array.from({ length: availableParallelism() * 2 }, () =>
    spawn(process.execPath, ["-e", "for(;;);"], { stdio: "ignore" }),
  );
  const since = Date.now();
  const before = services.map((service) => lines.newest(service)?.token);
  try {
    const endAt = performance.now() + seconds * 1_000;
    while (performance.now() < endAt) {
      await delay(5_000);
      lines.read();
    }
  } finally {
    for (const spinner of spinners) spinner.kill("SIGKILL");
  }
  await nodes.whenWhole(wholeMs);
  const suspected = await nodes.events("NodeSuspected", since);
  const lost = await nodes.events("NodeLost", since);
  say(`suspected ${suspected.length}, lost ${lost.length} in ${seconds} s of load`);
  if (lost.length > 0) violate(`${lost.length} healthy nodes were declared down`);
  for (const [at, service] of services.entries()) {
    if (lines.newest(service)?.token !== before[at])
      violate(`${service} was started again although nothing had failed`);
  }
}

function show(value) {
  return value === undefined ? "-" : `${Math.round(value)} ms`;
}

function quantiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return sorted.length === 0
    ? "none"
    : `p50 ${show(at(0.5))}, p99 ${show(at(0.99))}, max ${show(sorted.at(-1))} of ${sorted.length}`;
}

function conclude() {
  if (options.quiet === 0) {
    console.log(
      `${figures.rounds} partitions, ${figures.outlasted} outlasted the lease, ${figures.moved} moved the service; ${lines.count} lines`,
    );
    console.log(`node down after the fault: ${quantiles(figures.down)}`);
    console.log(`running again elsewhere:   ${quantiles(figures.again)}`);
  }
  console.log(`${violations.length} violations, ${shortcomings.length} shortcomings`);
  if (violations.length === 0 && shortcomings.length === 0) {
    rmSync(directory, { recursive: true, force: true });
    return 0;
  }
  console.log(`kept: ${directory}`);
  return violations.length > 0 ? 7 : 1;
}
