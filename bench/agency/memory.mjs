// Resident memory of members that have done the same work since their start.
import { load, pause, residentMb } from "./processes.mjs";
import { heading, row, verdict } from "./table.mjs";

const clients = 64;
const kinds = {
  halon: ["agency-write", "agency-read"],
  against: ["agency-write", "agency-read"],
  etcd: ["grpc-put", "grpc-range"],
  ceiling: ["agency-write"],
};

/** `starts` gives functions that start a cluster, by name; each runs alone. */
export async function measureMemory(starts, requests) {
  const results = {};
  for (const [name, begin] of Object.entries(starts)) {
    const cluster = await begin();
    results[name] = [];
    for (const kind of kinds[name]) {
      const { port } = await cluster.leader();
      await load({ kind, host: "127.0.0.1", port, clients, warmMs: 0, count: requests });
      await pause(500);
      results[name].push(cluster.members.map(({ child }) => residentMb(child.pid)));
    }
    await cluster.stop();
  }
  return results;
}

export function printMemory(results, requests) {
  heading(`MB a member after ${requests / 1_000}k`, [
    "after writes",
    "largest",
    "after reads",
    "largest",
  ]);
  for (const [name, [afterWrites, afterReads]] of Object.entries(results)) {
    const of = (values) => (values === undefined ? ["", ""] : [mean(values), Math.max(...values)]);
    const figures = [...of(afterWrites), ...of(afterReads)];
    row(
      name,
      figures.map((mb) => (mb === "" ? "" : mb.toFixed(0))),
    );
  }
  const { halon, etcd } = results;
  if (halon === undefined || etcd === undefined) return;
  const largest = (of, at) => Math.max(...of[at]);
  verdict("memory after writes: / etcd", largest(halon, 0) / largest(etcd, 0), "<", 1);
  verdict("memory after reads: / etcd", largest(halon, 1) / largest(etcd, 1), "<", 1);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
