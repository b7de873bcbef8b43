// How long a service stays dead: Halon on three local nodes, a plain loop, pm2 and runit, in turns in one run.
// After `npm run build`:
//   node bench/recovery/recovery.bench.mjs [--kills 200] [--only halon,floor] [--tracking 1|3] [--against CHECKOUT]
//   node bench/recovery/recovery.bench.mjs --leader-kills 100
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startFloor, startHalon, startPm2, startRunit } from "./contestants.mjs";
import { killLeaders } from "./leader.mjs";
import { breakdown, compare, ms, quantiles, spawnCalls } from "./report.mjs";
import { Stamps } from "./stamps.mjs";

const restMs = 60;
const replacedMs = 10_000;
/** Stamps of a trace are written so much later at the latest. */
const traceMs = 500;

const { values: options } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    only: { type: "string", default: "halon,floor,pm2,runit" },
    tracking: { type: "string", default: "3" },
    against: { type: "string" },
    "leader-kills": { type: "string", default: "0" },
  },
});
const kills = Number(options.kills);
const tracking = Number(options.tracking);
const leaderKills = Number(options["leader-kills"]);
const wanted = new Set(["floor", ...options.only.split(",")]);
const dir = mkdtempSync(join(tmpdir(), "halon-recovery-"));
const stamps = new Stamps(join(dir, "stamps"));
const contestants = [];

try {
  if (leaderKills > 0) {
    const rows = await killLeaders({ kills: leaderKills, dir: join(dir, "tracking"), stamps });
    quantiles("the leader's halond, kill -9 to what the next decides first", rows);
  } else {
    await startAll();
    await killAll();
    await sleep(traceMs);
    report();
  }
} finally {
  for (const stop of new Set(contestants.map((contestant) => contestant.stop))) await stop();
  rmSync(dir, { recursive: true, force: true });
}

async function startAll() {
  contestants.push(await startFloor(stamps));
  if (wanted.has("halon"))
    contestants.push(...(await startHalon(stamps, join(dir, "halon"), { tracking })));
  if (options.against !== undefined)
    contestants.push(
      ...(await startHalon(stamps, join(dir, "against"), {
        label: "halon-against",
        root: options.against,
        tracking: null,
      })),
    );
  for (const [name, start] of [
    ["pm2", startPm2],
    ["runit", startRunit],
  ]) {
    if (!wanted.has(name)) continue;
    const started = await start(stamps, join(dir, name));
    if (started === undefined) console.log(`${name}: not measured, it could not be installed here`);
    else contestants.push(started);
  }
  for (const contestant of contestants) contestant.kills = [];
}

/** In turns, so that a noisy moment hits all alike; on each node in turn, the leader's among them. */
async function killAll() {
  for (let round = 0; round < kills; round++) {
    for (const { kill, instances, kills: done, minAgeMs } of contestants) {
      const name = instances[round % instances.length];
      const ageMs = ms(stamps.of(name).at(-1), process.hrtime.bigint());
      await sleep(Math.max(restMs, minAgeMs - ageMs));
      const diedAt = await kill(name);
      done.push({ name, diedAt, firstAt: await stamps.after(name, diedAt, replacedMs) });
    }
  }
}

function report() {
  const isWorker = ({ service }) => service === "crasher";
  const row = (contestant) => ({
    name: contestant.title,
    values: contestant.kills.map(({ diedAt, firstAt }) => ms(diedAt, firstAt)),
  });
  const processes = contestants.filter((contestant) => !isWorker(contestant));
  compare("OS process, kill -9 to the first line of the replacement", processes.map(row));
  compare("kill -9 to the spawn call", [floorCalls(), ...contestants.filter(isTraced).map(calls)]);
  const workers = contestants.filter(isWorker);
  if (workers.length > 0)
    compare("worker, throw to its start call (floor: OS process)", [
      row(contestants[0]),
      ...workers.map(row),
    ]);
  for (const contestant of contestants.filter(isTraced)) breakdown(contestant);
}

function isTraced({ trace }) {
  return trace !== undefined;
}

function calls(contestant) {
  return { name: contestant.title, values: spawnCalls(contestant) };
}

function floorCalls() {
  const [{ title, kills: done }] = contestants;
  const values = done.map(({ name, diedAt }) =>
    ms(
      diedAt,
      stamps.of(`spawn/${name}`).find((at) => at > diedAt),
    ),
  );
  return { name: title, values };
}
