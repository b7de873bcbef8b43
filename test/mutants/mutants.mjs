/**
 * `npm run mutants`: tests the simulator. Each patch beside this file plants one bug in a copy of the cores; the
 * simulator must find a violation within the bounded number of seeds.
 *
 * Options: `--only NAME,…`, `--seeds N` (default 2000), `--keep` leaves the copies. Exit 7 when a bug was not found.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = join(root, "test/mutants");
/** What a planted bug may be in, and what is compiled anew for it. */
const copied = ["protocol", "raft", "kv", "actor", "agency", "sim"];
/** The command line of the simulator, as `npm run sim` calls it. */
const simulator = "packages/sim/dist/cli.js";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "2000" },
    keep: { type: "boolean", default: false },
  },
});
const names = readdirSync(here)
  .filter((file) => file.endsWith(".patch"))
  .map((file) => file.slice(0, -".patch".length))
  .filter((name) => options.only === undefined || options.only.split(",").includes(name))
  .sort();
if (names.length === 0) {
  console.error(`no patch in test/mutants fits --only ${options.only}`);
  process.exit(2);
}

const base = mkdtempSync(join(tmpdir(), "halon-mutants-"));
process.on("exit", () => {
  if (options.keep) console.error(`copies: ${base}`);
  else rmSync(base, { recursive: true, force: true });
});
process.on("SIGINT", () => process.exit(130));

/** A copy of the cores whose packages see each other, and the libraries of this checkout. */
function copyTree() {
  const tree = join(base, "tree");
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, "node_modules/@halon"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@halon")
      symlinkSync(join(root, "node_modules", name), join(tree, "node_modules", name));
  }
  for (const name of copied) {
    const from = join(root, "packages", name);
    cpSync(from, join(tree, "packages", name), {
      recursive: true,
      filter: (path) => !/\/(?:node_modules|testdata|\.turbo)(?:\/|$)/.test(path),
    });
    symlinkSync(join(tree, "packages", name), join(tree, "node_modules/@halon", name));
  }
  for (const file of ["tsconfig.base.json", "package.json"])
    cpSync(join(root, file), join(tree, file));
  return tree;
}

function run(cwd, command, args, timeoutMs = 600_000) {
  const done = spawnSync(command, args, { cwd, encoding: "utf8", timeout: timeoutMs });
  return { status: done.status, output: `${done.stdout}${done.stderr}` };
}

function compile(tree) {
  const tsc = join(root, "node_modules/@typescript/native/bin/tsc");
  return run(tree, process.execPath, [tsc, "-b", "packages/sim"]);
}

/** @returns {{ found: boolean, seed: string, invariant: string, why: string }} */
function tryMutant(name) {
  const missed = (why) => ({ found: false, seed: "-", invariant: "-", why });
  const tree = copyTree();
  const patch = join(here, `${name}.patch`);
  const applied = run(tree, "git", ["apply", "--whitespace=nowarn", patch]);
  if (applied.status !== 0) return missed(`the patch does not apply: ${lastLine(applied.output)}`);
  const compiled = compile(tree);
  if (compiled.status !== 0) return missed(`it does not compile: ${lastLine(compiled.output)}`);
  const args = [simulator, `--seeds=1..${options.seeds}`, "--until-violation", "--output=json"];
  const { status, output } = run(tree, process.execPath, args);
  if (status !== 7) return missed(status === 0 ? "no violation" : `the run ended with ${status}`);
  const violation = JSON.parse(output.trim().split("\n").at(-1)).violation;
  return { found: true, seed: String(violation.seed), invariant: violation.invariant, why: "" };
}

const lastLine = (text) => text.trim().split("\n").at(-1) ?? "";

/** First line of a patch file: what the bug is. */
function titleOf(name) {
  return readFileSync(join(here, `${name}.patch`), "utf8").split("\n")[0] ?? "";
}

console.log(`${"BUG".padEnd(40)} ${"FOUND AT SEED".padStart(13)}  INVARIANT`);
let found = 0;
for (const name of names) {
  const result = tryMutant(name);
  if (result.found) found += 1;
  console.log(
    `${name.padEnd(40)} ${result.seed.padStart(13)}  ${result.found ? result.invariant : result.why}`,
  );
  if (!result.found) console.log(`  ${titleOf(name)}`);
}
console.log(`${found} of ${names.length} planted bugs found within ${options.seeds} seeds`);
process.exit(found === names.length ? 0 : 7);
