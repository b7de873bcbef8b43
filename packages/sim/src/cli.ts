#!/usr/bin/env node
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type CliOptions, optionsOf, usage } from "./cli-options.ts";
import { planOf } from "./plan.ts";
import { type Outcome, run, type Violation } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { formatScenario, parseScenario } from "./scenario-file.ts";
import { shrink } from "./shrink.ts";
import {
  describeSummary,
  describeViolation,
  hasFailed,
  type SeedReport,
  Tally,
} from "./summary.ts";

const failed = 7;
/** Events that `--explain` prints of a run. */
const explainedEvents = 1_000_000;
const progressMs = 2_000;

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const tell = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

function runOptionsOf(options: CliOptions): { readonly stepsMax?: number } {
  return options.steps === null ? {} : { stepsMax: options.steps };
}

function reportOf(seed: number, options: CliOptions): SeedReport {
  const scenario = planOf(seed, options.plan);
  const outcome = run(scenario, runOptionsOf(options));
  const secondHash = options.twice ? run(scenario, runOptionsOf(options)).hash : null;
  return { seed, outcome, secondHash };
}

/** A thread runs the seeds that it is told, one after the other. */
function work(options: CliOptions): void {
  parentPort?.on("message", (seed: number) => {
    parentPort?.postMessage(reportOf(seed, options));
  });
}

/** Runs all seeds, each thread one at a time. */
async function sweep(options: CliOptions, tally: Tally): Promise<void> {
  const seeds = options.to - options.from + 1;
  const threads = Math.min(options.workers ?? availableParallelism(), seeds);
  let next = options.from;
  let isOver = false;
  let toldAt = Date.now();
  if (options.hashes !== null) writeFileSync(options.hashes, "");
  const runOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: options });
      const goOn = (): void => {
        if (isOver || next > options.to) {
          void worker.terminate().then(() => resolve(), reject);
          return;
        }
        worker.postMessage(next);
        next += 1;
      };
      worker.on("error", reject);
      worker.on("message", (report: SeedReport) => {
        tally.add(report);
        noteHash(report, options);
        tellViolation(report);
        if (options.untilViolation && report.outcome.violation !== null) isOver = true;
        if (Date.now() - toldAt > progressMs) {
          toldAt = Date.now();
          tell(`${tally.count} of ${seeds} seeds, ${tally.violations.length} violations`);
        }
        goOn();
      });
      goOn();
    });
  await Promise.all(Array.from({ length: threads }, runOne));
}

function tellViolation({ seed, outcome: { violation } }: SeedReport): void {
  if (violation !== null) tell(`seed ${seed}: ${violation.invariant}: ${violation.message}`);
}

function noteHash({ seed, outcome }: SeedReport, { hashes }: CliOptions): void {
  if (hashes !== null) appendFileSync(hashes, `${seed} ${outcome.hash}\n`);
}

/** Hashes by seed, of an earlier sweep. Throws an `Error` when the file is none of such lines. */
function readHashes(file: string): ReadonlyMap<number, string> {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return new Map(
    lines.map((line, at) => {
      const [, seed, hash] = /^(\d+) ([\da-f]{16})$/.exec(line) ?? [];
      if (seed === undefined || hash === undefined)
        throw new Error(
          `${file}:${at + 1}: expected a seed and its hash, not ${line.slice(0, 80)}`,
        );
      return [Number(seed), hash];
    }),
  );
}

/** Prints a violation and writes the smallest scenario found that breaks the same rule. */
function explainViolation(violation: Violation, scenario: Scenario, options: CliOptions): void {
  tell(describeViolation(violation));
  if (options.shrinkRuns === 0) return;
  const { invariant } = violation;
  const small = shrink(scenario, invariant, {
    ...runOptionsOf(options),
    runsMax: options.shrinkRuns,
  });
  mkdirSync(options.out, { recursive: true });
  const file = join(options.out, `sim-${scenario.seed}-${invariant}.json`);
  writeFileSync(file, formatScenario({ breaks: invariant, scenario: small.scenario }));
  const { faults, requests } = small.scenario;
  tell(`${file}: ${faults.length} faults and ${requests.length} requests, ${small.runs} runs`);
}

function runScenario(file: string, options: CliOptions): number {
  const { scenario } = parseScenario(readFileSync(file, "utf8"));
  return finishOne(scenario, options);
}

function finishOne(scenario: Scenario, options: CliOptions): number {
  const kept = options.explain ? { transcriptEvents: explainedEvents } : {};
  const outcome = run(scenario, { ...runOptionsOf(options), ...kept });
  if (options.explain) for (const line of outcome.transcript) tell(line);
  if (outcome.violation !== null) tell(describeViolation({ ...outcome.violation, transcript: [] }));
  print(JSON.stringify({ seed: scenario.seed, ...withoutTranscripts(outcome) }));
  return outcome.violation === null ? 0 : failed;
}

function withoutTranscripts({ violation, ...rest }: Outcome): object {
  const { transcript: _, ...outcome } = rest;
  if (violation === null) return { ...outcome, violation };
  const { transcript: __, ...broken } = violation;
  return { ...outcome, violation: broken };
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    print(usage);
    return 0;
  }
  let options: CliOptions;
  let expected: ReadonlyMap<number, string> | null;
  try {
    options = optionsOf(args);
    expected = options.compare === null ? null : readHashes(options.compare);
  } catch (error) {
    tell(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (options.scenario !== null) return runScenario(options.scenario, options);
  if (options.explain) return finishOne(planOf(options.from, options.plan), options);
  const tally = new Tally(expected);
  await sweep(options, tally);
  const { user, system } = process.cpuUsage();
  const summary = tally.summary((user + system) / 1e6);
  const { violation } = summary;
  if (violation !== null && !options.untilViolation)
    explainViolation(violation, planOf(violation.seed, options.plan), options);
  else if (violation !== null) tell(describeViolation(violation));
  print(options.json ? JSON.stringify(summary) : describeSummary(summary));
  return hasFailed(summary) ? failed : 0;
}

if (isMainThread) process.exitCode = await main(process.argv.slice(2));
else work(workerData as CliOptions);
