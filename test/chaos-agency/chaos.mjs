// Kills, pauses and cuts off members of a real agency under load, and judges what its clients were told:
//   members.mjs     three processes of `halond agency`
//   namespaces.mjs  links between them that can be cut by pair and direction; proxies.mjs does so without root
//   faults.mjs      rounds of faults; the seed fixes kinds, targets and times, and each is proven to have happened
//   clients.mjs     eight clients that read, write, compare and swap, and append; keys.mjs what they work on
//   verify.mjs      at the end: every key through every member, and the history's linearizability
// Exit codes: 0, or 7 when a guarantee was broken, 1 when the run itself is worth nothing, 2 on wrong usage. A run that does
// not end with 0 keeps its directory, with history.jsonl in it.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRandom } from "../chaos/random.mjs";
import { startClients } from "./clients.mjs";
import { describe, Faults, schedule } from "./faults.mjs";
import { History } from "./history.mjs";
import { Keys } from "./keys.mjs";
import { Members } from "./members.mjs";
import { isInside, Namespaces, namespacesAreThere, runInside } from "./namespaces.mjs";
import { Proxies } from "./proxies.mjs";
import { audit, compareTrees, judge } from "./verify.mjs";

const memberCount = 3;
const acknowledgedPerSecondMin = 100;
const settleMs = 30_000;
const violationsShownMax = 20;
const profiles = { full: 300, short: 40 };

const options = parseOptions();
const usesNamespaces =
  options.network === "namespaces" || (options.network === "auto" && namespacesAreThere());
if (usesNamespaces && !isInside()) process.exit(await runInside(memberCount));

const directory = mkdtempSync(join(tmpdir(), "halon-chaos-agency-"));
const violations = [];
const shortcomings = [];
const startedAt = performance.now();
const network = usesNamespaces
  ? new Namespaces()
  : new Proxies({ ports: await freePorts(), pidOf: (at) => members.pidOf(at) });
const members = new Members({ network, directory, count: memberCount, violate });
const history = new History(join(directory, "history.jsonl"));

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, async () => {
    say(`${signal}: ends everything`);
    await members.abandon();
    rmSync(directory, { recursive: true, force: true });
    process.exit(130);
  });
}

console.log(
  `chaos:agency: seed ${options.seed}, ${options.seconds} s, ${network.kind}, everything of it in ${directory}`,
);
try {
  summarize(await torment());
} catch (error) {
  fallShort(`the run broke off: ${error instanceof Error ? error.stack : error}`);
} finally {
  await members.abandon();
  network.close();
  await history.close();
}
process.exit(conclude());

function parseOptions() {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      minutes: { type: "string" },
      profile: { type: "string", default: "full" },
      network: { type: "string", default: "auto" },
    },
  });
  const seed = Number(values.seed);
  const seconds = values.minutes ? Number(values.minutes) * 60 : profiles[values.profile];
  const isNetwork = ["auto", "namespaces", "proxies"].includes(values.network);
  if (!Number.isInteger(seed) || !(seconds > 0) || !isNetwork) {
    console.error(
      "usage: npm run chaos:agency -- [--seed N] [--minutes N | --profile full|short] [--network auto|namespaces|proxies]",
    );
    process.exit(2);
  }
  return { seed, seconds, network: values.network };
}

function violate(text) {
  violations.push(text);
  if (violations.length <= violationsShownMax) say(`VIOLATION ${text}`);
}

function fallShort(text) {
  shortcomings.push(text);
  say(`INVALID ${text}`);
}

function say(text) {
  const at = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
  console.log(`${at} s ${text}`);
}

async function torment() {
  await network.open();
  for (const at of members.all) members.start(at);
  await members.settle(settleMs);
  say("the agency runs");
  const keys = new Keys();
  const faults = new Faults({ members, network });
  await faults.noteTerm();
  const clients = startClients({ ...options, network, memberCount, history, keys, violate });
  const endAt = performance.now() + options.seconds * 1_000;
  let rounds = 0;
  for (const round of schedule(createRandom(options.seed))) {
    if (performance.now() >= endAt) break;
    rounds += 1;
    say(`#${rounds} ${describe(round)}`);
    await faults.run(round);
  }
  const seconds = await clients.stop();
  const acknowledged = countOf("ok") + countOf("failed");
  await members.settle(settleMs);
  say("all is healed; every key is read through every member");
  const everything = { members, network, history, keys, violate };
  await audit(everything);
  await compareTrees(everything);
  await faults.killAll(500);
  await members.settle(settleMs);
  say("all were killed and started again; once more");
  await audit(everything);
  await compareTrees(everything);
  const judgedAt = performance.now();
  for (const violation of judge(history.operations)) violate(violation);
  const judgeMs = performance.now() - judgedAt;
  return { rounds, seconds, acknowledged, faults, keys, judgeMs };
}

function summarize({ rounds, seconds, acknowledged, faults, keys, judgeMs }) {
  const rate = acknowledged / seconds;
  const list = [...faults.counts].map(([kind, { made, proven }]) => `${kind} ${proven}/${made}`);
  const rows = [
    ["seed", `${options.seed}, ${rounds} rounds in ${Math.round(seconds)} s, ${network.kind}`],
    [
      "operations",
      ["ok", "failed", "refused", "unknown"].map((each) => `${countOf(each)} ${each}`).join(", "),
    ],
    ["rate", `${rate.toFixed(0)} answered/s, at least ${acknowledgedPerSecondMin} wanted`],
    ["longest outage", `${Math.round(history.longestOutageMs)} ms without an answer`],
    ["keys", `${keys.pairs.length * 2} registers, ${keys.lists.length} lists`],
    ["faults proven", list.join(", ")],
    ["terms seen", `${faults.terms.size}`],
    ["judged in", `${Math.round(judgeMs)} ms`],
    ["violations", `${violations.length}`],
  ];
  console.log(`\n${rows.map(([name, value]) => `${name.padEnd(16)}${value}`).join("\n")}`);
  if (rate < acknowledgedPerSecondMin)
    fallShort(`${rate.toFixed(0)} operations/s were answered: too few to prove anything`);
  for (const [kind, { made, proven }] of faults.counts)
    if (proven < made)
      fallShort(`${made - proven} of ${made} "${kind}" cannot be proven to have happened`);
}

function countOf(outcome) {
  return history.operations.filter((operation) => operation.outcome === outcome).length;
}

function conclude() {
  if (violations.length + shortcomings.length === 0) {
    rmSync(directory, { recursive: true, force: true });
    console.log("PASSED: the history is linearizable, and every acknowledged write is there");
    return 0;
  }
  const what = violations.length > 0 ? `${violations.length} violations` : "an invalid run";
  console.log(`FAILED: ${what}; look into ${directory} (history.jsonl, member-*.log)`);
  return violations.length > 0 ? 7 : 1;
}

/** Two for each member, below those that the kernel gives to clients, which could take one while its member is down. */
async function freePorts() {
  const free = new Set();
  while (free.size < 2 * memberCount) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    if (await isFree(port)) free.add(port);
  }
  const list = [...free];
  return Array.from({ length: memberCount }, (_, at) => ({
    own: list[2 * at],
    relay: list[2 * at + 1],
  }));
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
