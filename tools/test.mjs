/**
 * `npm test`: checks, build, the unit tests of every package, then the suites of `test/`.
 *
 * `node tools/test.mjs [unit|docs|scenarios|engine|rules|determinism|conformance|e2e …]` runs the build and the named ones only.
 * Unit tests are served from turbo's cache when nothing they read has changed; the suites of `test/` never are.
 * A file of real processes that fails is run once more, by itself, and the result says so: see `again`.
 * The last line is `N passed, N failed`. A step that fails without a failed test of its own counts as one failed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { countsOf, failuresIn, filesIn, readReport, sum } from "./test-report.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const suites = ["docs", "scenarios", "engine", "rules", "determinism", "conformance", "e2e"];
const reports = join(root, "node_modules/.cache/halon-test");
/** Colours are for people at a terminal; vitest would send them into the log of a CI too. */
const environment = {
  TURBO_TELEMETRY_DISABLED: "1",
  TURBO_NO_UPDATE_NOTIFIER: "1",
  ...(process.stdout.isTTY ? {} : { NO_COLOR: "1" }),
};
const turbo = join(root, "node_modules/.bin/turbo");
const vitest = join(root, "node_modules/vitest/vitest.mjs");

/** @typedef {{ name: string, ok: boolean, seconds: number, counts: import("./test-report.mjs").Counts[], unsteady?: string[] }} Step */

function run(name, command, args) {
  console.log(`\n── ${name}`);
  const started = performance.now();
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...environment },
  });
  if (error !== undefined) console.error(error.message);
  return { name, ok: status === 0, seconds: (performance.now() - started) / 1_000, counts: [] };
}

function check() {
  return [
    run("lint", join(root, "node_modules/.bin/biome"), ["check", "."]),
    run("boundaries", process.execPath, ["tools/boundaries.mjs"]),
    run("typecheck of tests", process.execPath, ["tools/typecheck-tests.mjs"]),
  ];
}

function build() {
  return run("build", turbo, ["run", "build", "--output-logs=new-only"]);
}

/** What fails is run once more, as in `again`; what passed is not, as it comes from the cache. */
function unit() {
  const first = unitOnce("unit tests");
  if (first.step.ok) return { ...first.step, counts: first.counts };
  const second = unitOnce("once more: unit tests that failed");
  const passed = new Set(filesPassed(second.files));
  const unsteady = failedOf(first.files)
    .filter((each) => passed.has(each.name))
    .flatMap(told);
  const seconds = first.step.seconds + second.step.seconds;
  return { ...second.step, name: first.step.name, seconds, counts: second.counts, unsteady };
}

/** Reports are deleted first, so that what is read afterwards was written or restored by this run. */
function unitOnce(name) {
  const packages = readdirSync(join(root, "packages")).sort();
  const reportOf = (each) => join(root, "packages", each, ".test-report.json");
  for (const each of packages) rmSync(reportOf(each), { force: true });
  const step = run(name, turbo, [
    "run",
    "test",
    "--continue",
    // One more than there are cores: those that start programs mostly wait for them.
    `--concurrency=${availableParallelism() + 1}`,
    "--output-logs=new-only",
  ]);
  return {
    step,
    counts: packages.map((each) => readReport(each, reportOf(each))),
    files: packages.flatMap((each) => filesIn(reportOf(each))),
  };
}

/** Suites that run in one go: those that compute for seconds, and one on one core beside one that mostly waits. */
const together = [
  ["docs", "scenarios", "engine", "rules"],
  ["determinism", "conformance"],
];

/** Suites that start real processes: how long those take is up to the machine. */
const withProcesses = ["conformance", "e2e"];

/** Runs these suites side by side. */
function suite(...kinds) {
  const label = kinds.join(", ");
  const { step, files } = suiteOnce(`test: ${label}`, kinds, []);
  const failed = failedOf(files);
  const isOurs = ({ name }) =>
    withProcesses.some((kind) => name.startsWith(join(root, "test", kind)));
  if (step.ok || failed.length === 0 || !failed.every(isOurs))
    return { ...step, counts: [countsOf(label, files)] };
  return again(label, step, files, kinds);
}

/**
 * Runs the files that failed once more, one after the other and beside nothing else.
 *
 * What passes then counts as passed, and is named in the result with what it failed by: it is a fault of the test or of
 * the product that shows seldom, to be looked for, and no reason to stop all that passed. What fails twice has failed.
 */
function again(label, first, files, kinds) {
  const failed = failedOf(files);
  const paths = failed.map((each) => relative(root, each.name));
  const { step, files: once } = suiteOnce(`once more: ${paths.join(", ")}`, kinds, [
    "--no-file-parallelism",
    ...paths,
  ]);
  const passed = new Set(filesPassed(once));
  const merged = files.map((each) => once.find(({ name }) => name === each.name) ?? each);
  return {
    name: first.name,
    ok: step.ok,
    seconds: first.seconds + step.seconds,
    counts: [countsOf(label, merged)],
    unsteady: failed.filter((each) => passed.has(each.name)).flatMap(told),
  };
}

const failedOf = (files) => files.filter((each) => each.status === "failed");
const filesPassed = (files) =>
  files.filter((each) => each.status === "passed").map((each) => each.name);

/** A line for each failure of a file. */
function told(file) {
  const path = relative(root, file.name);
  return failuresIn(file).length === 0
    ? [`${path}: did not load`]
    : failuresIn(file).map(
        (each) => `${path}: ${each.fullName}: ${each.failureMessages?.[0]?.split("\n")[0]}`,
      );
}

/** @returns {{ step: Step, files: import("./test-report.mjs").FileResult[] }} */
function suiteOnce(name, kinds, args) {
  const report = join(reports, `${kinds.join("-")}.json`);
  rmSync(report, { force: true });
  const step = run(name, process.execPath, [
    vitest,
    "run",
    "--config=test/vitest.config.ts",
    ...kinds.map((kind) => `--project=${kind}*`),
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...args,
  ]);
  return { step, files: filesIn(report) };
}

/** @param {Step[]} steps */
function conclude(steps) {
  console.log("\n── result");
  for (const { name, ok, seconds, counts, unsteady = [] } of steps) {
    console.log(`${ok ? "ok    " : "FAILED"} ${name} (${seconds.toFixed(1)} s)`);
    for (const line of unsteady) console.log(`         passed only when run once more: ${line}`);
    for (const { label, passed, failed, skipped } of counts.filter((each) => each.total > 0))
      console.log(`         ${label}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
  const all = steps.flatMap((step) => step.counts);
  const unexplained = steps.filter((step) => !step.ok && sum(step.counts, "failed") === 0).length;
  const failed = sum(all, "failed") + unexplained;
  process.exitCode = failed === 0 ? 0 : 1;
  console.log(`\n${sum(all, "passed")} passed, ${failed} failed`);
}

function main(wanted) {
  const unknown = wanted.filter((kind) => kind !== "unit" && !suites.includes(kind));
  if (unknown.length > 0) throw new Error(`unknown ${unknown}; know: unit ${suites.join(" ")}`);
  mkdirSync(reports, { recursive: true });
  const steps = wanted.length === 0 ? check() : [];
  steps.push(build());
  const wants = (kind) => wanted.includes(kind) || (wanted.length === 0 && exists(kind));
  if (wants("unit")) steps.push(unit());
  const kinds = suites.filter(wants);
  for (const kind of kinds) {
    const group = together.find((each) => each.includes(kind)) ?? [kind];
    const own = group.filter((each) => kinds.includes(each));
    if (own[0] === kind) steps.push(suite(...own));
  }
  conclude(steps);
}

function exists(kind) {
  return kind === "unit" || existsSync(join(root, "test", kind));
}

main(process.argv.slice(2));
