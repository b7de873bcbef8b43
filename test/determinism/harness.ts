import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type CoordinatorState, encodeSnapshot } from "@halon/coordinator/core";
import { toJSON } from "@halon/graph";
import { canonicalJson } from "@halon/protocol";
import { type Difference, firstDifference } from "./difference.ts";
import type { Report, Task } from "./fresh-process.ts";
import { type History, makeHistory } from "./history.ts";
import { folded, hashOf, resumed } from "./replay.ts";
import { loadRules, type RuleFiles } from "./rule-files.ts";

const run = promisify(execFile);
const entry = fileURLToPath(new URL("fresh-process.ts", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Found extends Difference {
  readonly seed: number;
  readonly way: "resumed" | "fresh process";
}

export interface Comparison {
  readonly found: readonly Found[];
  /** Seeds of histories whose log alone does not give the graph and the snapshot of the live state. */
  readonly misfolded: readonly number[];
  readonly report: Report;
  readonly records: number;
}

/** Decides each history three ways, and tells where the logs part. */
export async function compare(seeds: readonly number[], files: RuleFiles): Promise<Comparison> {
  const rules = await loadRules(files);
  const misfolded: number[] = [];
  const histories: History[] = seeds.map((seed) => {
    const { batches, log, state } = makeHistory(seed, rules);
    if (!isSame(folded(log), state)) misfolded.push(seed);
    return { seed, batches, log };
  });
  // It decides while this process does.
  const reporting = freshProcess({
    files,
    histories: histories.map(({ seed, batches, log }) => ({ seed, batches, hash: hashOf(log) })),
  });
  const found: Found[] = histories.flatMap((history) => {
    const difference = firstDifference(history.log, resumed(history, rules));
    return difference === undefined ? [] : [{ seed: history.seed, way: "resumed", ...difference }];
  });
  const report = await reporting;
  const bySeed = new Map(histories.map((history) => [history.seed, history.log]));
  for (const { seed, log } of report.logs) {
    const difference = log.length === 0 ? undefined : firstDifference(bySeed.get(seed) ?? [], log);
    if (difference !== undefined) found.push({ seed, way: "fresh process", ...difference });
  }
  const records = histories.reduce((sum, { log }) => sum + log.length, 0);
  return { found, misfolded, report, records };
}

function isSame(a: CoordinatorState, b: CoordinatorState): boolean {
  const graphOf = ({ graph }: CoordinatorState) => canonicalJson(toJSON(graph));
  return graphOf(a) === graphOf(b) && encodeSnapshot(a) === encodeSnapshot(b);
}

async function freshProcess(task: Task): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), "halon-determinism-"));
  try {
    const file = join(directory, "task.json");
    writeFileSync(file, JSON.stringify(task));
    const locale = "tr_TR.UTF-8";
    const env = { ...process.env, TZ: "Asia/Kathmandu", LANG: locale, LC_ALL: locale };
    await run(process.execPath, ["--import", "tsx", entry, file], { cwd: root, env });
    return JSON.parse(readFileSync(file, "utf8"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
