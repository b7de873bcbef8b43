// Events per second that the decision loop decides and makes durable, in the file store, without links and threads.
// After `npm run build`: node bench/coordinator/coordinator.bench.mjs [directory]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DecisionLoop } from "../../packages/coordinator/dist/loop.js";
import { openFileStore } from "../../packages/coordinator/dist/store/file.js";

const runMs = 2_000;
const warmUpMs = 500;
const text = "a line of eighty characters, as long as what an event of a service mostly holds.";
const rulesBlob = "0".repeat(64);
const ruleFile = {
  name: "count",
  blob: rulesBlob,
  rules: ["count"],
  events: [
    {
      type: "Said",
      version: 1,
      schema: {
        type: "object",
        properties: { source: { type: "number" }, text: { type: "string" } },
        required: ["source", "text"],
      },
    },
  ],
};
let lastId = 0;
const base = process.argv[2] ?? tmpdir();

console.log("events of a declared type, one rule that writes its memory, file store with fsync");
for (const sources of [1, 16, 256]) {
  const dir = mkdtempSync(join(base, "halon-coordinator-"));
  const loop = await open(dir);
  await measure(loop, sources, warmUpMs);
  const before = loop.state.index;
  const { latencies, ms } = await measure(loop, sources, runMs);
  const records = loop.state.index - before;
  await loop.close();
  rmSync(dir, { recursive: true });
  print(sources, latencies, ms, records);
}

async function open(dir) {
  const store = await openFileStore({ dir });
  const loop = await DecisionLoop.open(store, {
    ruleFiles: {
      blobPath: () => fileURLToPath(new URL("./count.rules.mjs", import.meta.url)),
      files: () => undefined,
      running: () => undefined,
      suspects: new Map(),
    },
    listener: {
      commands: () => undefined,
      record: () => undefined,
      warning: (warning) => console.error(warning),
      beforeSnapshot: async () => undefined,
      fatal: (error) => {
        throw error;
      },
    },
  });
  loop.observe("ClusterCreated", { cluster: "bench", name: "bench" });
  const spec = { types: [], deployments: [], rules: [ruleFile], prune: false };
  await submit(loop, "ClusterApplied", { operation: "apply-1", spec });
  return loop;
}

/** Resolves when the event is decided and its record is durable. */
function submit(loop, type, data) {
  lastId += 1;
  const id = `bench-${process.pid}-${lastId}`;
  return new Promise((resolve, reject) => {
    loop.submit({ type: "client", id, event: { type, version: 1, data } }, (reply) => {
      if (reply.type === "accepted") resolve();
      else reject(new Error(JSON.stringify(reply)));
    });
  });
}

/** Each source sends its next event when the one before is durable. */
async function measure(loop, sources, forMs) {
  const latencies = [];
  const start = performance.now();
  const run = async (source) => {
    while (performance.now() - start < forMs) {
      const from = performance.now();
      await submit(loop, "Said", { source, text });
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: sources }, (_, source) => run(source)));
  return { latencies, ms: performance.now() - start };
}

function print(sources, latencies, ms, records) {
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)].toFixed(2);
  const perSecond = Math.round((latencies.length / ms) * 1_000);
  const batch = (latencies.length / records).toFixed(1);
  console.log(
    `${String(sources).padStart(3)} sources: ${String(perSecond).padStart(6)} events/s, ${batch} in a record, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  );
}
