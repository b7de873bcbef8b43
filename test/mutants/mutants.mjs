/**
 * `npm run mutants`: tests the simulator. Each patch beside this file plants one bug in a copy of the cores; the
 * simulator must find a violation within the bounded number of seeds, and make its scenario small: that breaks the same
 * rule at the same event twice with the bug, and no rule without it.
 *
 * Options: `--only NAME,…`, `--seeds N` (default 2000, at most 200 of whole clusters), `--lanes N` bugs at a time (default: one a core),
 * `--shrink-runs N` to spend on each smaller scenario (default 500), `--tries N` seeds that find the bug to make smaller, until one
 * has ten events or fewer (default 5), `--out DIR` keeps the smallest scenarios as `NAME.json`, `--keep` leaves the copies.
 * Exit 7 when a bug was not found, or its scenario does not stand these runs.
 */
import { spawn } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = join(root, "test/mutants");
const tsc = join(root, "node_modules/@typescript/native/bin/tsc");
/** What a planted bug may be in, and what is compiled anew for it. */
const copied = [
  "protocol",
  "raft",
  "kv",
  "actor",
  "agency",
  "graph",
  "rules",
  "service",
  "coordinator",
  "api",
  "node",
  "sim",
];
/** What the simulator is told of a profile: a hundredth of the usual jobs is enough for a bug to show. */
const argsOf = {
  raft: ["--profile", "raft"],
  cluster: ["--profile", "cluster"],
  jobs: ["--profile", "jobs", "--jobs", "10", "--seconds", "12"],
};
/** Runs of whole clusters take longer, and their bugs show sooner. */
const clusterSeedsMax = 200;
/** The command line of the simulator, as `npm run sim` calls it. */
const simulator = "packages/sim/dist/cli.js";
/** A scenario of so many events can be read. */
const eventsMax = 10;
/** A run that hangs is a bug that was not found. */
const runMsMax = 3_600_000;

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "2000" },
    lanes: { type: "string", default: String(availableParallelism()) },
    "shrink-runs": { type: "string", default: "500" },
    tries: { type: "string", default: "5" },
    out: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});

/** Names of the patches to try. */
function chosen() {
  const all = readdirSync(here)
    .filter((file) => file.endsWith(".patch"))
    .map((file) => file.slice(0, -".patch".length))
    .sort();
  if (options.only === undefined) return all;
  const wanted = options.only.split(",");
  const unknown = wanted.filter((name) => !all.includes(name));
  if (unknown.length > 0) fail(`no patch in test/mutants is called ${unknown.join(", ")}`);
  return wanted;
}

function wholeNumber(name, text) {
  if (!/^[1-9]\d*$/.test(text)) fail(`--${name} is a whole number from 1 on, not ${text}`);
  return Number(text);
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

const children = new Set();

/** Runs a command to its end. */
function run(cwd, command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    const timer = setTimeout(() => child.kill("SIGKILL"), runMsMax);
    let out = "";
    let err = "";
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err = (err + data).slice(-10_000);
    });
    child.on("error", (error) => {
      err += error.message;
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      children.delete(child);
      resolve({ status, out, err });
    });
  });
}

const lastLine = (text) => text.trim().split("\n").at(-1) ?? "";

/** A copy of the cores whose packages see each other, and the libraries of this checkout; compiled. */
async function createTree(path) {
  for (const name of copied)
    cpSync(join(root, "packages", name), join(path, "packages", name), {
      recursive: true,
      filter: (from) => !/\/(?:node_modules|testdata|dist|\.turbo)(?:\/|$)/.test(from),
    });
  // A bug often leaves an import or a parameter without use.
  const config = readFileSync(join(root, "tsconfig.base.json"), "utf8");
  writeFileSync(
    join(path, "tsconfig.base.json"),
    config.replace(/("noUnused(?:Locals|Parameters)": )true/g, "$1false"),
  );
  cpSync(join(root, "package.json"), join(path, "package.json"));
  link(path);
  const { status, out, err } = await compile(path);
  if (status !== 0) throw new Error(`the copy does not compile: ${lastLine(out + err)}`);
}

/** A copy of a compiled tree, which need not be compiled again: times say what is new. */
function copyTree(from, path) {
  for (const part of ["packages", "tsconfig.base.json", "package.json"])
    cpSync(join(from, part), join(path, part), { recursive: true, preserveTimestamps: true });
  link(path);
}

function link(path) {
  mkdirSync(join(path, "node_modules/@halon"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules")))
    if (name !== "@halon")
      symlinkSync(join(root, "node_modules", name), join(path, "node_modules", name));
  for (const name of copied)
    symlinkSync(join(path, "packages", name), join(path, "node_modules/@halon", name));
}

function compile(tree) {
  return run(tree, process.execPath, [tsc, "-b", "packages/sim"]);
}

/** Plants one bug and takes it out again; what was found and the smaller scenario of it, or why nothing was. */
async function tryBug(tree, clean, name) {
  const patch = join(here, `${name}.patch`);
  const applied = await run(tree, "git", ["apply", "--whitespace=nowarn", patch]);
  if (applied.status !== 0)
    return { violation: null, why: `the patch does not apply: ${lastLine(applied.err)}` };
  const result = await findBug(tree, clean, name);
  const reverted = await run(tree, "git", ["apply", "--reverse", "--whitespace=nowarn", patch]);
  if (reverted.status !== 0) throw new Error(`${name} cannot be taken out: ${reverted.err}`);
  return result;
}

/** The first violation, and the smallest scenario of the first few: chance decides how small one can be made. */
async function findBug(tree, clean, name) {
  const compiled = await compile(tree);
  if (compiled.status !== 0)
    return { violation: null, why: `it does not compile: ${lastLine(compiled.out)}` };
  const result = await simulate(tree, profileOf(name), 1);
  let { violation } = result;
  for (let tries = Number(options.tries); violation !== null && tries > 0; tries -= 1) {
    const small = await makeSmall(tree, clean, name, violation);
    if (isBetter(small, result.small)) {
      result.small = small;
      keep(name, small);
    }
    if (small.wrong === null && small.size <= eventsMax) break;
    if (tries > 1)
      violation = (await simulate(tree, profileOf(name), violation.seed + 1)).violation;
  }
  return result;
}

function isBetter(small, best) {
  if (best === undefined) return true;
  if ((small.wrong === null) !== (best.wrong === null)) return small.wrong === null;
  return small.size < best.size;
}

function keep(name, { file }) {
  if (options.out === undefined) return;
  mkdirSync(options.out, { recursive: true });
  copyFileSync(file, join(options.out, `${name}.json`));
}

async function simulate(tree, profile, from) {
  const last = profile === "raft" ? options.seeds : Math.min(options.seeds, clusterSeedsMax);
  if (from > last) return { violation: null, why: "no seed is left" };
  // One thread: seeds run in order, so the first that breaks a rule is the same each time.
  const seeds = [...argsOf[profile], "--seeds", `${from}..${last}`, "--workers", "1"];
  const args = [simulator, ...seeds, "--until-violation", "--output", "json"];
  const { status, out, err } = await run(tree, process.execPath, args);
  if (status !== 0 && status !== 7)
    return { violation: null, why: `the run ended with ${status}: ${lastLine(err)}` };
  const { violation } = JSON.parse(lastLine(out));
  return { violation, why: "no rule was broken" };
}

/** Has the simulator make the scenario of a violation smaller; how many faults, requests and jobs are left, and what is wrong with it. */
async function makeSmall(tree, clean, name, { seed, invariant }) {
  const out = join(base, name);
  const seeds = [...argsOf[profileOf(name)], "--seed", String(seed), "--workers", "1"];
  const shrinking = ["--shrink-runs", options["shrink-runs"], "--out", out];
  await run(tree, process.execPath, [simulator, ...seeds, ...shrinking]);
  const file = join(out, `sim-${seed}-${invariant}.json`);
  const { faults, requests, settings } = JSON.parse(readFileSync(file, "utf8")).scenario;
  const size = faults.length + requests.length + (settings.cluster?.jobs?.count ?? 0);
  const [first, second] = [await replay(tree, file), await replay(tree, file)];
  if (first.violation?.invariant !== invariant)
    return { seed, file, size, wrong: "breaks another rule" };
  const { step, message } = first.violation;
  const isAlike =
    second.hash === first.hash &&
    second.violation?.step === step &&
    second.violation.message === message;
  if (!isAlike) return { seed, file, size, wrong: "two replays differ" };
  const without = await replay(clean, file);
  const wrong = without.violation === null ? null : "breaks a rule without the bug";
  return { seed, file, size, wrong };
}

async function replay(tree, file) {
  const { out, err } = await run(tree, process.execPath, [simulator, "--scenario", file]);
  if (out === "") throw new Error(`${file} does not run: ${lastLine(err)}`);
  return JSON.parse(lastLine(out));
}

/** First line of a patch: what the bug is. */
function titleOf(name) {
  return readFileSync(join(here, `${name}.patch`), "utf8").split("\n")[0] ?? "";
}

/** What the bug is looked for in: a patch says `profile: cluster` or `jobs` when that is not the members alone. */
function profileOf(name) {
  const text = readFileSync(join(here, `${name}.patch`), "utf8");
  return /^profile: (cluster|jobs)$/m.exec(text)?.[1] ?? "raft";
}

function tell(name, { violation, why, small }) {
  if (violation === null) {
    console.log(`${columns(name, "-", "-")}  ${why}\n  ${titleOf(name)}`);
    return;
  }
  const { seed, invariant, message } = violation;
  const of = small.seed === seed ? "" : `(smallest of seed ${small.seed}) `;
  const said = of + (small.wrong ?? message.split("\n")[0].slice(0, 80));
  console.log(`${columns(name, seed, small.size)}  ${invariant.padEnd(12)}  ${said}`);
}

function columns(name, seed, left) {
  return `${name.padEnd(34)} ${String(seed).padStart(5)} ${String(left).padStart(5)}`;
}

wholeNumber("seeds", options.seeds);
wholeNumber("shrink-runs", options["shrink-runs"]);
wholeNumber("tries", options.tries);
const names = chosen();
const lanes = Math.min(wholeNumber("lanes", options.lanes), names.length);
const base = mkdtempSync(join(tmpdir(), "halon-mutants-"));
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  if (options.keep) console.error(`copies: ${base}`);
  else rmSync(base, { recursive: true, force: true });
});
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

console.log(`${columns("BUG", "SEED", "LEFT")}  RULE          WHAT IT SAYS`);
const clean = join(base, "tree-clean");
await createTree(clean);
const left = [...names];
const results = [];
await Promise.all(
  Array.from({ length: lanes }, async (_, lane) => {
    const tree = join(base, `tree-${lane}`);
    copyTree(clean, tree);
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const result = await tryBug(tree, clean, name);
      results.push(result);
      tell(name, result);
    }
  }),
);
const found = results.filter(({ violation }) => violation !== null);
const short = found.filter(({ small }) => small.size <= eventsMax);
const wrong = found.filter(({ small }) => small.wrong !== null);
const replays = wrong.length === 0 ? "all replay alike" : `${wrong.length} do not stand a replay`;
console.log(
  `${found.length} of ${names.length} planted bugs found within ${options.seeds} seeds, ${short.length} of them shrink to ${eventsMax} events or fewer, ${replays}`,
);
process.exit(found.length === names.length && wrong.length === 0 ? 0 : 7);
