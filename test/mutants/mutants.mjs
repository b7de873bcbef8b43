/**
 * `npm run mutants`: tests the simulator. Each patch beside this file plants one bug in a copy of the cores; the
 * simulator must find a violation within the bounded number of seeds.
 *
 * Options: `--only NAME,…`, `--seeds N` (default 2000, at most 200 of whole clusters), `--lanes N` bugs at a time (default: one a core), `--keep`
 * leaves the copies. Exit 7 when a bug was not found.
 */
import { spawn } from "node:child_process";
import {
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
/** Runs of whole clusters take longer, and their bugs show sooner. */
const clusterSeedsMax = 200;
/** The command line of the simulator, as `npm run sim` calls it. */
const simulator = "packages/sim/dist/cli.js";
/** A run that hangs is a bug that was not found. */
const runMsMax = 3_600_000;

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "2000" },
    lanes: { type: "string", default: String(availableParallelism()) },
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

/** A copy of the cores whose packages see each other, and the libraries of this checkout. */
async function createTree(path) {
  mkdirSync(join(path, "node_modules/@halon"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@halon")
      symlinkSync(join(root, "node_modules", name), join(path, "node_modules", name));
  }
  for (const name of copied) {
    cpSync(join(root, "packages", name), join(path, "packages", name), {
      recursive: true,
      filter: (from) => !/\/(?:node_modules|testdata|dist|\.turbo)(?:\/|$)/.test(from),
    });
    symlinkSync(join(path, "packages", name), join(path, "node_modules/@halon", name));
  }
  // A bug often leaves an import or a parameter without use.
  const config = readFileSync(join(root, "tsconfig.base.json"), "utf8");
  writeFileSync(
    join(path, "tsconfig.base.json"),
    config.replace(/("noUnused(?:Locals|Parameters)": )true/g, "$1false"),
  );
  cpSync(join(root, "package.json"), join(path, "package.json"));
  const { status, out, err } = await compile(path);
  if (status !== 0) throw new Error(`the copy does not compile: ${lastLine(out + err)}`);
}

function compile(tree) {
  return run(tree, process.execPath, [tsc, "-b", "packages/sim"]);
}

/** Plants one bug and takes it out again; what was found, or why nothing was. */
async function tryBug(tree, name) {
  const patch = join(here, `${name}.patch`);
  const applied = await run(tree, "git", ["apply", "--whitespace=nowarn", patch]);
  if (applied.status !== 0)
    return { violation: null, why: `the patch does not apply: ${lastLine(applied.err)}` };
  const result = await simulate(tree, profileOf(name));
  const reverted = await run(tree, "git", ["apply", "--reverse", "--whitespace=nowarn", patch]);
  if (reverted.status !== 0) throw new Error(`${name} cannot be taken out: ${reverted.err}`);
  return result;
}

async function simulate(tree, profile) {
  const compiled = await compile(tree);
  if (compiled.status !== 0)
    return { violation: null, why: `it does not compile: ${lastLine(compiled.out)}` };
  // One thread: seeds run in order, so the first that breaks a rule is the same each time.
  const last = profile === "cluster" ? Math.min(options.seeds, clusterSeedsMax) : options.seeds;
  const seeds = ["--profile", profile, "--seeds", `1..${last}`, "--workers", "1"];
  const args = [simulator, ...seeds, "--until-violation", "--output", "json"];
  const { status, out, err } = await run(tree, process.execPath, args);
  if (status !== 0 && status !== 7)
    return { violation: null, why: `the run ended with ${status}: ${lastLine(err)}` };
  const { violation } = JSON.parse(lastLine(out));
  return { violation, why: "no rule was broken" };
}

/** First line of a patch: what the bug is. */
function titleOf(name) {
  return readFileSync(join(here, `${name}.patch`), "utf8").split("\n")[0] ?? "";
}

/** What the bug is looked for in: a patch says `profile: cluster` when that is not the members alone. */
function profileOf(name) {
  const text = readFileSync(join(here, `${name}.patch`), "utf8");
  return /^profile: cluster$/m.test(text) ? "cluster" : "raft";
}

function tell(name, { violation, why }) {
  if (violation === null) {
    console.log(`${name.padEnd(34)} ${"-".padStart(5)}  ${why}\n  ${titleOf(name)}`);
    return;
  }
  const { seed, invariant, message } = violation;
  const said = message.split("\n")[0].slice(0, 80);
  console.log(`${name.padEnd(34)} ${String(seed).padStart(5)}  ${invariant.padEnd(12)}  ${said}`);
}

wholeNumber("seeds", options.seeds);
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

console.log(`${"BUG".padEnd(34)} ${"SEED".padStart(5)}  RULE          WHAT IT SAYS`);
const left = [...names];
let found = 0;
await Promise.all(
  Array.from({ length: lanes }, async (_, lane) => {
    const tree = join(base, `tree-${lane}`);
    await createTree(tree);
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const result = await tryBug(tree, name);
      if (result.violation !== null) found += 1;
      tell(name, result);
    }
  }),
);
console.log(`${found} of ${names.length} planted bugs found within ${options.seeds} seeds`);
process.exit(found === names.length ? 0 : 7);
