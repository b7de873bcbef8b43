// How long a service stays dead: Halon on three local nodes, a plain loop, pm2, runit, supervisord and Pacemaker, in turns
// in one run; and how long Halon takes to see that one hangs. After `npm run build`:
//   node bench/recovery/recovery.bench.mjs [--kills 200] [--hangs 20] [--only halon,runit] [--tracking 1|3] [--against CHECKOUT]
//   node bench/recovery/recovery.bench.mjs --leader-kills 100
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  NotHere,
  startFloor,
  startHalon,
  startPm2,
  startRunit,
  startSupervisord,
} from "./contestants.mjs";
import { killLeaders } from "./leader.mjs";
import { startPacemaker } from "./pacemaker.mjs";
import { breakdown, compare, ms, quantiles, timesBetween } from "./report.mjs";
import { Stamps } from "./stamps.mjs";

const restMs = 60;
const replacedMs = 10_000;
/** Stamps of a trace are written so much later at the latest. */
const traceMs = 500;

const { values: options } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    only: { type: "string", default: "halon,pm2,runit,supervisord,pacemaker" },
    hangs: { type: "string", default: "20" },
    tracking: { type: "string", default: "3" },
    against: { type: "string" },
    "leader-kills": { type: "string", default: "0" },
  },
});
const kills = Number(options.kills);
const hangs = Number(options.hangs);
const tracking = Number(options.tracking);
const leaderKills = Number(options["leader-kills"]);
const wanted = new Set(options.only.split(","));
const dir = mkdtempSync(join(tmpdir(), "halon-recovery-"));
const stamps = new Stamps(join(dir, "stamps"));
const contestants = [];
/** Rows of those that cannot run here. */
const absent = [];

try {
  if (leaderKills > 0) {
    const rows = await killLeaders({ kills: leaderKills, dir: join(dir, "tracking"), stamps });
    quantiles("the leader's halond, kill -9 to what the next decides first", { rows });
  } else {
    await startAll();
    await inTurns(
      kills,
      contestants.filter((contestant) => !contestant.isHang),
    );
    await inTurns(
      hangs,
      contestants.filter(({ isHang }) => isHang),
    );
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
        tracking,
      })),
    );
  for (const [name, start] of [
    ["pm2", startPm2],
    ["runit", startRunit],
    ["supervisord", startSupervisord],
    ["pacemaker", startPacemaker],
  ]) {
    if (!wanted.has(name)) continue;
    try {
      contestants.push(...[await start(stamps, join(dir, name))].flat());
    } catch (error) {
      if (!(error instanceof NotHere)) throw error;
      absent.push({ name, notHere: error.message });
    }
  }
  for (const contestant of contestants) contestant.kills = [];
}

/** In turns, so that a noisy moment hits all alike; on each node in turn, the leader's among them. */
async function inTurns(rounds, those) {
  for (let round = 0; round < rounds; round++) {
    for (const { kill, instances, kills: done, minAgeMs } of those) {
      const name = instances[round % instances.length];
      const ageMs = ms(stamps.of(name).at(-1), process.hrtime.bigint());
      await sleep(Math.max(restMs, minAgeMs - ageMs));
      const diedAt = await kill(name);
      done.push({ name, diedAt, firstAt: await stamps.after(name, diedAt, replacedMs) });
    }
  }
}

function report() {
  const killed = contestants.filter(({ isHang, kills: done }) => !isHang && done.length > 0);
  const hung = contestants.filter(({ isHang, kills: done }) => isHang && done.length > 0);
  const isWorker = ({ service }) => service?.startsWith("crasher");
  const processes = killed.filter((contestant) => !isWorker(contestant));
  const traced = killed.filter(({ trace }) => trace !== undefined);
  if (processes.length > 0) {
    compare("OS process, kill -9 to the first line of the replacement", [
      ...processes.map((contestant) => row(contestant)),
      ...absent,
    ]);
    const spawned = traced.filter((contestant) => !isWorker(contestant));
    compare("kill -9 to the spawn call", [
      floorCalls(),
      ...spawned.map((contestant) => row(contestant, "death", "spawn")),
    ]);
  }
  const workers = traced.filter(isWorker);
  if (workers.length > 0)
    quantiles("worker service, exception on a message to ready in a warm thread", {
      digits: 2,
      rows: workers.map((contestant) => row(contestant, "death", "ready")),
    });
  if (hung.length > 0) reportHangs(hung);
  for (const contestant of traced) breakdown(contestant);
}

/** When the coordinator has the report that it failed, from when it hung and from its deadline; and when it runs again. */
function reportHangs(hung) {
  quantiles("hung service", {
    what: "hangs",
    digits: 0,
    rows: hung.flatMap((contestant) => {
      const { title, deadlineMs } = contestant;
      const declared = row(contestant, "death", "received");
      return [
        { ...declared, name: `${title}: declared` },
        {
          name: `  past its deadline (${deadlineMs} ms)`,
          values: declared.values.map((value) => value - deadlineMs),
        },
        { ...row(contestant, "death", "first"), name: "  runs again" },
      ];
    }),
  });
}

/** The times of a contestant: between two points of a trace, or from its death to the first line of the next. */
function row(contestant, from, to) {
  const values =
    from === undefined
      ? contestant.kills.map(({ diedAt, firstAt }) => ms(diedAt, firstAt))
      : timesBetween(contestant, from, to);
  return { name: contestant.title, values };
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
