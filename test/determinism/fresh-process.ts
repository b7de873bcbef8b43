/**
 * Decides histories once more in a process of its own, in another order, time zone and locale.
 *
 * `node --import tsx fresh-process.ts <file>`: the file holds a Task, and gets a Report in its place.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { History } from "./history.ts";
import { seeded, shuffled } from "./prng.ts";
import { hashOf, reordered } from "./replay.ts";
import { loadRules, type RuleFiles } from "./rule-files.ts";

export interface Task {
  readonly files: RuleFiles;
  readonly histories: readonly (Pick<History, "seed" | "batches"> & { readonly hash: string })[];
}

export interface Report {
  /** Minutes by which the time zone is ahead of UTC. */
  readonly aheadOfUtc: number;
  readonly locale: string;
  /** One for each history; the texts stand there only when their hash is not the expected one. */
  readonly logs: readonly {
    readonly seed: number;
    readonly hash: string;
    readonly log: readonly string[];
  }[];
}

async function main(file: string): Promise<void> {
  const { files, histories }: Task = JSON.parse(readFileSync(file, "utf8"));
  const rules = await loadRules(files);
  const logs = shuffled(seeded(histories.length), histories).map((history) => {
    const log = reordered(history, rules);
    const hash = hashOf(log);
    return { seed: history.seed, hash, log: hash === history.hash ? [] : log };
  });
  const aheadOfUtc = -new Date(2_020, 0).getTimezoneOffset();
  const { locale } = Intl.DateTimeFormat().resolvedOptions();
  writeFileSync(file, JSON.stringify({ aheadOfUtc, locale, logs } satisfies Report));
}

const [, , file] = process.argv;
if (file === undefined) throw new Error("expected a file");
await main(file);
