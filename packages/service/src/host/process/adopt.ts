import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { watchKept } from "../keeper/watch-kept.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { configValuesOf } from "../runtime/secrets.ts";
import { homeMark, isSameDirectory } from "./mark.ts";
import { bootId, isRunning, readEnvironment, readStat } from "./proc.ts";
import { runProcess } from "./process-runner.ts";
import { type ProcessManifest, type ProcessRecord, readRecord, removeRecord } from "./record.ts";
import { endStrays, type Stray } from "./stray.ts";

const lookMs = 100;
const hastyLookMs = 5;

export interface AdoptOptions {
  /** `<data-dir>/services`; the one that services were and will be started under. */
  readonly servicesDirectory: string;
  readonly node: string;
  blobPath(hash: string): string;
}

/** What was left behind by an earlier `halond`. */
export type Found =
  /** It runs and is known: `watch` takes it over; `loaded`, `acquired` and `ready` follow as at a start. */
  | {
      readonly type: "adopted";
      readonly spec: RunnerSpec;
      readonly osPid: number;
      watch(listener: (event: RunnerEvent) => void): Runner;
    }
  /** A record of something that runs no more, or that is damaged; it is removed, and its pid was not signalled. */
  | { readonly type: "dropped"; readonly service: string; readonly reason: string }
  /** A process group of this directory that no record speaks of: gone now, or, as `lingers`, not within 5 s. */
  | Stray;

/**
 * Finds the OS processes that outlived an earlier `halond`. Call it once, before anything is started.
 *
 * Resolves when everything was reported and what is not adopted is gone. The service of a `lingers` must not be
 * started: it would run twice.
 */
export async function adoptProcesses(
  options: AdoptOptions,
  onFound: (found: Found) => void,
): Promise<void> {
  const home = resolve(options.servicesDirectory);
  const adopted: ProcessRecord[] = [];
  for (const service of namesIn(home)) {
    const directory = join(home, service);
    const verdict = judge(directory, { home, service, node: options.node });
    if (verdict.type === "drop") {
      removeRecord(directory);
      onFound({ type: "dropped", service, reason: verdict.reason });
    }
    if (verdict.type === "adopt") {
      adopted.push(verdict.record);
      onFound(offer(verdict, { directory, blobPath: (hash) => options.blobPath(hash) }));
    }
  }
  await endStrays(home, adopted, onFound);
}

type Verdict =
  | { readonly type: "none" }
  | { readonly type: "drop"; readonly reason: string }
  | { readonly type: "adopt"; readonly record: ProcessRecord; readonly process: ProcessManifest };

interface Expected {
  readonly home: string;
  readonly service: string;
  readonly node: string;
}

/** Whether what a record speaks of still runs and is of this directory. */
function judge(directory: string, expected: Expected): Verdict {
  const found = readRecord(directory);
  if (found.type === "none") return found;
  if (found.type === "damaged") return { type: "drop", reason: found.reason };
  const { record } = found;
  const { process } = record.manifest;
  if (process === undefined)
    return { type: "drop", reason: "its manifest describes no OS process" };
  const reason = whyNot(record, expected);
  return reason === undefined ? { type: "adopt", record, process } : { type: "drop", reason };
}

function whyNot(record: ProcessRecord, { home, service, node }: Expected): string | undefined {
  const { pid } = record;
  if (record.bootId !== bootId())
    return `process ${pid} ended with the machine, which was restarted`;
  if (!isRunning(record)) {
    return readStat(pid)?.startTime === record.startTime || readStat(pid) === undefined
      ? `process ${pid} is gone`
      : `process ${pid} is another one by now: it started at another time`;
  }
  // Some programs overwrite their environment to change their title. Then the record alone speaks, which it can:
  // within one start of the machine no two processes have both number and start time in common.
  const mark = readEnvironment(pid)?.get(homeMark) ?? record.home;
  // A mark that leads nowhere: the directory was moved here while the process ran.
  if (!isSameDirectory(mark, home) && existsSync(mark)) {
    return `process ${pid} belongs to ${mark}, and this record is a copy`;
  }
  if (record.keeper !== undefined && !isRunning(record.keeper)) {
    return `the keeper of process ${pid} is gone`;
  }
  if (record.service !== service) return `the record is that of the service ${record.service}`;
  if (record.node !== node) return `process ${pid} was started for the node ${record.node}`;
  return undefined;
}

function offer(
  { record, process }: Extract<Verdict, { type: "adopt" }>,
  { directory, blobPath }: Pick<RunnerSpec, "directory" | "blobPath">,
): Found {
  const { node, service, instance, manifest, config, configHash, keeper } = record;
  const spec: RunnerSpec = {
    node,
    service,
    instance,
    manifest,
    config,
    configHash,
    configValues: configValuesOf(config),
    blobPath,
    directory,
    ...(keeper === undefined ? {} : { lease: { token: keeper.token, leaseMs: keeper.leaseMs } }),
  };
  return {
    type: "adopted",
    spec,
    osPid: record.pid,
    watch: (listener) =>
      keeper === undefined
        ? watchAdopted({ spec, process, record, listener })
        : watchKept({ spec, process, record, keeper, listener }),
  };
}

interface Adopted {
  readonly spec: RunnerSpec;
  readonly process: ProcessManifest;
  readonly record: ProcessRecord;
  readonly listener: (event: RunnerEvent) => void;
}

/** Its parent is gone, so nobody is told of its end: it is looked for. */
function watchAdopted(adopted: Adopted): Runner {
  let timer = setInterval(look, lookMs);
  const watch = {
    hasten() {
      clearInterval(timer);
      timer = setInterval(look, hastyLookMs);
    },
    cancel() {
      clearInterval(timer);
      clearImmediate(first);
    },
  };
  const running = runProcess({ ...adopted, watch });
  const first = setImmediate(() => {
    running.begin();
    look();
  });

  function look(): void {
    if (isRunning(adopted.record)) return;
    watch.cancel();
    running.leaderExited({ code: null, signal: null });
  }

  return running.runner;
}

/** Empty when there is no such directory yet. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
