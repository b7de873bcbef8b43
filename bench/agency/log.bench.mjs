// Entries per second and latency of durable appends: node bench/agency/log.bench.mjs [options]
//   --dir DIRECTORY       where the log is; the system's directory for temporary files when left out
//   --against CHECKOUT    measures the log of a second, built checkout too
//   --rounds N            medians of N rounds, in which the contestants take turns
//   --entry-bytes N       256 when left out
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { median } from "./table.mjs";

const { values } = parseArgs({
  options: {
    dir: { type: "string", default: tmpdir() },
    against: { type: "string" },
    rounds: { type: "string", default: "1" },
    "entry-bytes": { type: "string", default: "256" },
  },
});
const runMs = 1_500;
const entryBytes = Number(values["entry-bytes"]);
const roots = { own: fileURLToPath(new URL("../..", import.meta.url)) };
if (values.against !== undefined) roots.against = resolve(values.against);
const contestants = [];
for (const [name, root] of Object.entries(roots)) {
  const { href } = pathToFileURL(join(root, "packages/agency/dist/index.js"));
  contestants.push({ name, openLog: (await import(href)).openLog });
}

for (const writers of [1, 16, 64, 256]) {
  const runs = Object.fromEntries(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    // The first to run finds the machine cooler than the last: every round another begins.
    const order = contestants.map((_, at) => contestants[(at + round) % contestants.length]);
    for (const { name, openLog } of order) runs[name].push(await one(openLog, writers));
  }
  for (const { name } of contestants) {
    const of = (figure) => median(runs[name].map((run) => run[figure]));
    console.log(
      `${String(writers).padStart(3)} writers of ${entryBytes} B, ${name}: ${Math.round(of("perSecond"))} entries/s, p50 ${of("p50").toFixed(3)} ms, p99 ${of("p99").toFixed(3)} ms`,
    );
  }
  if (values.against === undefined) continue;
  const ratios = runs.own.map((run, round) => run.p50 / runs.against[round].p50);
  console.log(`    p50 / against: ${median(ratios).toFixed(2)}`);
}

async function one(openLog, writers) {
  const dir = mkdtempSync(join(values.dir, "halon-log-"));
  const log = await openLog({ dir });
  await measure(log, writers, 300);
  const { latencies, ms } = await measure(log, writers, runMs);
  await log.close();
  rmSync(dir, { recursive: true });
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)];
  return { perSecond: (latencies.length / ms) * 1_000, p50: at(0.5), p99: at(0.99) };
}

/** Each writer appends its next entry when the one before is durable. */
async function measure(log, writers, forMs) {
  const data = new Uint8Array(entryBytes);
  const latencies = [];
  const start = performance.now();
  const write = async () => {
    while (performance.now() - start < forMs) {
      const from = performance.now();
      await log.append([{ index: log.lastIndex + 1, term: 1, data }]);
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  return { latencies, ms: performance.now() - start };
}
