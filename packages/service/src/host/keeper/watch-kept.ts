import { noWatch, runProcess } from "../process/process-runner.ts";
import type { ProcessManifest, ProcessRecord } from "../process/record.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { KeptProcess } from "./kept-process.ts";
import { reachKeeper } from "./reach.ts";

/** An exclusive instance that an earlier `halond` has started and written down. */
export interface AdoptedKept {
  readonly spec: RunnerSpec;
  readonly process: ProcessManifest;
  readonly record: ProcessRecord;
  readonly keeper: NonNullable<ProcessRecord["keeper"]>;
  readonly listener: (event: RunnerEvent) => void;
}

/** Goes on with it under the same keeper and lease; nothing is reported from within the call. */
export function watchKept({ spec, process, record, keeper, listener }: AdoptedKept): Runner {
  const { pid, startTime } = keeper;
  const kept = new KeptProcess({
    spec,
    listener,
    program: record.command[0],
    outlives: true,
    run: (_program, _keeper, hear) =>
      runProcess({ spec, process, record, watch: noWatch, listener: hear }),
    reach: (hear) => reachKeeper({ pid, startTime }, spec.directory, hear),
  });
  setImmediate(() => kept.begin({ pid: record.pid, startTime: record.startTime }));
  return kept.runner;
}
