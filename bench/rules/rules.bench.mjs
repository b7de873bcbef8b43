// Events per second through the rule engine on one core, beside json-rules-engine, rools and rxjs from npm in the same run;
// memory of open windows; and what rules cost that do not care about an event.
// After `npm run build`: node --expose-gc bench/rules/rules.bench.mjs [--only rates|memory|others] [--no-peers] [--peers DIR]
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Halon } from "./halon.mjs";
import { measureMemory } from "./memory.mjs";
import { loadPeers, versions } from "./peers.mjs";
import { NodeProcessor } from "./processor.mjs";
import { compare } from "./rate.mjs";
import { workloads } from "./workload.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "rates,memory,others" },
    "no-peers": { type: "boolean", default: false },
    peers: { type: "string" },
  },
});
const parts = options.only.split(",");

console.log(
  `Node ${process.version}. Rates are per second of processor time, the collector's threads included; in brackets by the wall
clock, which counts what else the machine does.`,
);
// First, while nothing else is there that a collection could find.
if (parts.includes("memory")) measureMemory();
if (parts.includes("rates")) await withPeers(compareRates);
if (parts.includes("others")) await compareOthers();

/** Calls `use` with the peers' libraries, or with null. */
async function withPeers(use) {
  if (options["no-peers"]) return use(null);
  if (options.peers !== undefined) return use(loadPeers(options.peers));
  const dir = mkdtempSync(join(tmpdir(), "halon-rules-peers-"));
  try {
    const install = ["install", "--prefix", dir, "--no-audit", "--no-fund", ...versions];
    execFileSync("npm", install, { stdio: "ignore" });
    return await use(loadPeers(dir));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function compareRates(peers) {
  for (const workload of workloads) {
    console.log(`\n${workload.title}`);
    const own = [new Halon(workload), new NodeProcessor(workload)];
    await compare([...own, ...(peers?.of(workload) ?? [])], workload);
  }
}

/** The same events and the same ten rules, with ever more rules of other types beside them. */
async function compareOthers() {
  const [tenRules] = workloads.filter(({ name }) => name === "ten");
  console.log(
    "\nThe same 10 rules, and N beside them on types that do not come, a third each on events, on counts and on debounce",
  );
  const contestants = [0, 10, 1_000, 10_000].map((others) => new Halon(tenRules, others));
  await compare(contestants, tenRules);
}
