// Entries per second and latency of durable appends: node bench/agency/log.bench.mjs [directory]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLog } from "../../packages/agency/dist/index.js";

const entryBytes = 256;
const runMs = 1_500;
const base = process.argv[2] ?? tmpdir();

for (const writers of [1, 16, 64, 256]) {
  const dir = mkdtempSync(join(base, "halon-log-"));
  const log = await openLog({ dir });
  await measure(log, writers, 300);
  const { latencies, ms } = await measure(log, writers, runMs);
  await log.close();
  rmSync(dir, { recursive: true });
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)].toFixed(3);
  console.log(
    `${String(writers).padStart(3)} writers of ${entryBytes} B: ${Math.round((latencies.length / ms) * 1_000)} entries/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  );
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
