// Throughput and latency: every contestant in every round, in turns.
import { cpuMs, load } from "./processes.mjs";
import { count, heading, median, row, verdict } from "./table.mjs";

const writes = {
  halon: "agency-write",
  against: "agency-write",
  "etcd, gRPC": "grpc-put",
  "etcd, gateway": "gateway-put",
  ceiling: "agency-write",
};
const reads = {
  halon: "agency-read",
  against: "agency-read",
  "etcd, gRPC": "grpc-range",
  "etcd, gateway": "gateway-range",
};
const batches = { halon: "agency-batch", against: "agency-batch", ceiling: "agency-batch" };

/** Kinds of load by contestant. */
export const cases = {
  write1: { title: "writes, 1 client", clients: 1, kinds: writes },
  write64: { title: "writes, 64 clients", clients: 64, kinds: writes },
  write256: { title: "writes, 256 clients", clients: 256, kinds: writes },
  batch: { title: "100 writes a request, 16 clients", clients: 16, kinds: batches },
  read1: { title: "reads, 1 client", clients: 1, kinds: reads },
  read64: { title: "reads, 64 clients", clients: 64, kinds: reads },
  read256: { title: "reads, 256 clients", clients: 256, kinds: reads },
};

/** Results by case and contestant, one a round; `clusters` by the first word of the contestant's name. */
export async function measure(clusters, names, { rounds, warmMs, forMs }) {
  const results = {};
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const { clients, kinds } = cases[name];
      const present = Object.keys(kinds).filter((who) => clusters[who.split(",")[0]] !== undefined);
      results[name] ??= Object.fromEntries(present.map((who) => [who, []]));
      // The first to run finds the machine cooler than the last: every round another begins.
      const order = present.map((_, at) => present[(at + round) % present.length]);
      for (const who of order) {
        const job = { kind: kinds[who], host: "127.0.0.1", clients, warmMs, forMs };
        results[name][who].push(await one(clusters[who.split(",")[0]], job));
      }
    }
  }
  return results;
}

/** Beside what the clients saw: the CPU of all members for each request, which a busy neighbour changes little. */
async function one({ members, leader }, job) {
  const { port } = await leader();
  const used = () => members.reduce((sum, { child }) => sum + cpuMs(child.pid), 0);
  const before = used();
  const result = await load({ ...job, port });
  return { ...result, cpuMicros: ((used() - before) * 1_000) / result.done };
}

export function print(results) {
  for (const [name, byContestant] of Object.entries(results)) {
    heading(cases[name].title, ["per s", "p50 ms", "p99 ms", "CPU µs", "load's"]);
    for (const [who, runs] of Object.entries(byContestant)) {
      const of = (figure) => median(runs.map((run) => run[figure]));
      const times = [of("p50").toFixed(2), of("p99").toFixed(2)];
      const cpu = [of("cpuMicros").toFixed(0), `${Math.round(of("generatorCpu") * 100)} %`];
      row(who, [count(of("perSecond")), ...times, ...cpu]);
      const errors = runs.reduce((sum, run) => sum + run.errors, 0);
      if (errors > 0) console.log(`  ${errors} requests of ${who} failed`);
    }
  }
}

/** Medians of the ratios of each round, as what disturbs a round disturbs both sides. */
export function printAims(results) {
  const ratio = (name, figure, other) => {
    const ours = results[name]?.halon;
    const theirs = results[name]?.[other];
    if (ours === undefined || theirs === undefined) return undefined;
    return median(ours.map((run, round) => run[figure] / theirs[round][figure]));
  };
  const say = (what, value, relation, aim, digits) => {
    if (value !== undefined) verdict(what, value, relation, aim, digits);
  };
  for (const name of ["write64", "write256"]) {
    const { title } = cases[name];
    say(`${title}: / etcd gRPC`, ratio(name, "perSecond", "etcd, gRPC"), ">=", 2);
    say(`${title}: / etcd gateway`, ratio(name, "perSecond", "etcd, gateway"), ">=", 2.5);
    say(`${title}: / ceiling`, ratio(name, "perSecond", "ceiling"), ">=", 0.6);
  }
  say("writes, 1 client: p50 / etcd gRPC", ratio("write1", "p50", "etcd, gRPC"), "<=", 0.7);
  say("writes, 64 clients: p99 / etcd gRPC", ratio("write64", "p99", "etcd, gRPC"), "<", 1);
  const batch = results.batch?.halon?.map((run) => run.perSecond);
  if (batch !== undefined) verdict("100 writes a request, per s", median(batch), ">=", 250_000, 0);
  for (const name of ["read64", "read256"])
    say(`${cases[name].title}: / etcd gateway`, ratio(name, "perSecond", "etcd, gateway"), ">=", 2);
}
