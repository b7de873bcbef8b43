// Elections while the agency is loaded: alone, beside a thread that spins, and while a member is brought up by snapshots.
import { ask, configOf, settled } from "./halon.mjs";
import { kill, load, pause, start, until } from "./processes.mjs";
import { count, heading, row, verdict } from "./table.mjs";

const clients = 64;
const bulkBytes = 100 * 1024 * 1024;
const valueBytes = 256 * 1024;
const valuesARequest = 8;
/** A load is begun anew after this time, and after the leader has changed. */
const jobMs = 10_000;

export async function countElections(startAgency, totalMs) {
  const cluster = await startAgency();
  const phases = [
    ["full load", async () => async () => undefined],
    ["a neighbour spins", async () => spin()],
    ["a member needs 100 MiB", async (state) => lag(cluster, state)],
  ];
  heading("elections under load", ["seconds", "writes/s", "worst p99", "elections"]);
  let elections = 0;
  for (const [name, disturb] of phases) {
    if (name.includes("100 MiB")) await fill(cluster);
    const state = { ended: false, transfers: 0 };
    const before = await term(cluster);
    const stop = await disturb(state);
    const { perSecond, p99, broken } = await keepLoaded(cluster, totalMs / phases.length);
    state.ended = true;
    await stop();
    const during = (await term(cluster)) - before;
    elections += during;
    const figures = [
      (totalMs / phases.length / 1_000).toFixed(0),
      count(perSecond),
      p99.toFixed(1),
    ];
    row(name, [...figures, during]);
    if (state.transfers > 0) console.log(`  ${state.transfers} members brought up`);
    if (broken > 0) console.log(`  the load broke off ${broken} times`);
  }
  verdict("elections", elections, "<=", 0, 0);
  await cluster.stop();
}

async function keepLoaded(cluster, forMs) {
  const end = performance.now() + forMs;
  const runs = [];
  let broken = 0;
  while (performance.now() < end) {
    const { port } = await cluster.leader();
    const job = { kind: "agency-write", host: "127.0.0.1", port, clients, warmMs: 0 };
    const left = Math.max(1_000, Math.min(jobMs, end - performance.now()));
    await load({ ...job, forMs: left }).then(
      (result) => runs.push(result),
      () => broken++,
    );
  }
  const perSecond = runs.reduce((sum, run) => sum + run.perSecond, 0) / Math.max(1, runs.length);
  return { perSecond, p99: Math.max(0, ...runs.map((run) => run.p99)), broken };
}

/** The highest that a member knows: a candidate that nobody elects raises it too. */
async function term({ members }) {
  const configs = await Promise.all(
    members.map((member) => configOf(member).catch(() => undefined)),
  );
  return Math.max(...configs.map((config) => config?.term ?? 0));
}

function spin() {
  const child = start(process.execPath, ["-e", "for (;;);"]);
  return () => kill(child);
}

/** Data that make every snapshot large. */
async function fill(cluster) {
  const value = "x".repeat(valueBytes);
  const leader = await cluster.leader();
  for (let at = 0; at < bulkBytes / valueBytes; at += valuesARequest) {
    const writes = Array.from({ length: valuesARequest }, (_, n) => [
      { [`/bulk/k${at + n}`]: { op: "set", new: value } },
    ]);
    await ask(leader, "/_api/agency/write", JSON.stringify(writes));
  }
  await settled(cluster.members);
}

/** Kills a follower again and again, and starts it when the leader has dropped the entries that it lacks. */
async function lag(cluster, state) {
  const rounds = (async () => {
    while (!state.ended) {
      const leader = await cluster.leader();
      const follower = cluster.members.find((member) => member !== leader);
      const lastIndex = (await configOf(follower)).commitIndex;
      await kill(follower.child);
      await until("compaction", () => compactedBeyond(leader, lastIndex, state), 600_000, 500);
      cluster.restart(follower);
      if (state.ended) break;
      const goal = (await configOf(leader)).commitIndex;
      const isUp = async () => (await configOf(follower)).commitIndex >= goal || undefined;
      await until("member that has caught up", isUp, 120_000, 200);
      state.transfers++;
      await pause(1_000);
    }
  })();
  return () => rounds;
}

/** The leader keeps entries for a while after a snapshot, 50,000 of them at most. */
async function compactedBeyond(leader, index, state) {
  const { lastCompactionAt } = await configOf(leader);
  return state.ended || lastCompactionAt > index + 50_000 || undefined;
}
