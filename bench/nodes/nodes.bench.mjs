// How soon a node that is gone is down, and its exclusive service runs elsewhere: three nodes, each in a network namespace
// of its own. In turns the `halond` that holds the service is killed with SIGKILL, and its node is cut off; in every third
// round it is the one that leads.
// After `npm run build`: node bench/nodes/nodes.bench.mjs [--rounds 20]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  isInside,
  Namespaces,
  namespacesAreThere,
  runInside,
} from "../../test/chaos-agency/namespaces.mjs";
import { Lines, nowMs } from "../../test/chaos-partitions/lines.mjs";
import { Nodes } from "../../test/chaos-partitions/nodes.mjs";
import { quantiles } from "../recovery/report.mjs";

const count = 3;
const service = "writer-process";
const wholeMs = 60_000;
const againMs = 30_000;
/** What the return of a node sets in motion is over by then, and its beats are steady. */
const restMs = 3_000;
/** So often the node that leads is killed in the hope that the holder is the next, before a round goes on without that. */
const leadTries = 6;

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "20" } } });
const rounds = Number(options.rounds);

if (!namespacesAreThere()) {
  console.log("not run here: network namespaces need root and CAP_NET_ADMIN");
  process.exit(0);
}
if (!isInside()) process.exit(await runInside(count));

const dir = mkdtempSync(join(tmpdir(), "halon-nodes-"));
const network = new Namespaces();
const nodes = new Nodes({ network, directory: dir, count, tracking: count });
const violations = [];
const lines = new Lines(join(dir, "lines.txt"), (text) => violations.push(text));
const faults = [
  {
    name: "killed with -9",
    begin: (at) => nodes.kill(at),
    undo: (at) => nodes.start(at),
    done: [],
  },
  {
    name: "cut off",
    begin: (at) => isolate(at, "cut"),
    undo: (at) => isolate(at, "heal"),
    done: [],
  },
];

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, async () => {
    await nodes.abandon();
    process.exit(130);
  });
}
try {
  await begin();
  for (let round = 0; round < rounds; round++)
    for (const fault of faults) {
      if (round % count === count - 1) await letHolderLead();
      fault.done.push(await measure(fault));
    }
} finally {
  await nodes.abandon();
  lines.read();
  lines.close();
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}
report();

async function begin() {
  for (const at of nodes.all) nodes.start(at);
  await whole();
  const type = new URL(
    `../../test/chaos-partitions/services/${service}.service.ts`,
    import.meta.url,
  );
  const config = { file: join(dir, "lines.txt") };
  const deployed = { type: fileURLToPath(type), exclusive: "cluster", config };
  await nodes.apply({ services: [deployed] }, wholeMs);
  await until("the service to write", againMs, () => lines.newest(service));
}

/** One fault at the node that holds the service: when it was decided to be lost, and when the service first wrote elsewhere. */
async function measure({ begin: befall, undo }) {
  await whole();
  await sleep(restMs);
  const before = lines.newest(service);
  const holder = nodes.indexOf(before.node);
  const isLeader = (await nodes.leader()) === holder;
  const begunAt = nowMs();
  const begunWall = performance.timeOrigin + performance.now();
  await befall(holder);
  const after = await until("the service to run elsewhere", againMs, () => {
    const newest = lines.newest(service);
    return newest.token > before.token && newest.node !== before.node ? newest : undefined;
  });
  const lost = await until("the loss of the node", againMs, async () => {
    const events = await nodes.events("NodeLost", begunWall);
    return events.find(({ data }) => data.node === before.node);
  });
  await undo(holder);
  return { isLeader, downMs: Date.parse(lost.time) - begunWall, againMs: after.first - begunAt };
}

async function letHolderLead() {
  for (let tries = 0; tries < leadTries; tries++) {
    await whole();
    const leader = await nodes.leader();
    const holder = nodes.indexOf(lines.newest(service).node);
    if (leader === holder) return;
    await nodes.kill(leader);
    await until("another leader", againMs, async () => {
      const next = await nodes.leader();
      return next === leader ? undefined : next;
    });
    nodes.start(leader);
  }
}

async function whole() {
  if ((await nodes.whenWhole(wholeMs)) === undefined)
    throw new Error(`not all nodes were up in ${wholeMs} ms`);
}

function isolate(at, how) {
  for (const other of nodes.all) {
    if (other === at) continue;
    network[how](at, other);
    network[how](other, at);
  }
}

async function until(what, deadlineMs, find) {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await sleep(10);
  }
}

function report() {
  const table = (title, field) =>
    quantiles(title, {
      what: "rounds",
      rows: faults.flatMap(({ name, done }) =>
        [
          { name, chosen: done },
          { name: "  the leader's node", chosen: done.filter(({ isLeader }) => isLeader) },
          { name: "  another node", chosen: done.filter(({ isLeader }) => !isLeader) },
        ].map(({ name: row, chosen }) => ({ name: row, values: chosen.map((one) => one[field]) })),
      ),
    });
  table("node gone to NodeLost decided", "downMs");
  table("node gone to its exclusive service running elsewhere", "againMs");
  console.log(`\nran twice: ${violations.length} times, in ${lines.count} lines of its instances`);
  for (const text of violations) console.log(text);
}
