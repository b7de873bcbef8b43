import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync } from "node:fs";
import { HalonError } from "@halon/protocol";
import type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { describeFailure, failLater } from "./failed-start.ts";
import { outputPath } from "./output.ts";
import { type Plan, planStart, recordOf } from "./plan.ts";
import { readStat } from "./proc.ts";
import { runProcess, tryToWrite } from "./process-runner.ts";
import { launchSpare } from "./spare.ts";

type Listener = (event: RunnerEvent) => void;

interface Spawned {
  readonly child: ChildProcess;
  /** Size of the output file before the process wrote anything. */
  readonly outputStart: number;
  /** Whether its `spawn` event is still to come. */
  readonly isNew: boolean;
}

/**
 * Starts an OS process in a session of its own, with its output in a file: it outlives `halond`.
 *
 * Nothing is reported from within the call. A start that fails is `problem` and then `exited`.
 */
export const startProcess: StartRunner = (spec, listener) => {
  let plan: Plan | undefined;
  try {
    plan = planStart(spec);
    const spawned = spawnPlan(spec, plan);
    return spawned.child.pid === undefined
      ? failLater(listener, whenSpawnFails(spawned.child, plan, spec))
      : follow(spec, plan, spawned, spawned.child.pid, listener);
  } catch (error) {
    return failLater(listener, Promise.resolve(describeFailure(error, plan?.command[0], spec)));
  }
};

function spawnPlan(spec: RunnerSpec, { command, env }: Plan): Spawned {
  const path = outputPath(spec.directory);
  // Appending: several processes of the group write to it, and the file is emptied under them at its limit.
  const output = openSync(path, "a", 0o600);
  try {
    const outputStart = fstatSync(output).size;
    const spare = launchSpare({ command, env, cwd: spec.directory, output: path });
    if (spare !== undefined) return { child: spare, outputStart, isNew: false };
    const [program, ...args] = command;
    const child = spawn(program, args, {
      cwd: spec.directory,
      env,
      detached: true,
      stdio: ["ignore", output, output],
    });
    return { child, outputStart, isNew: true };
  } finally {
    closeSync(output);
  }
}

function follow(
  spec: RunnerSpec,
  plan: Plan,
  { child, outputStart, isNew }: Spawned,
  pid: number,
  listener: Listener,
): Runner {
  // Not reaped before this call returns, so it is there even when it has already ended.
  const startTime = readStat(pid)?.startTime;
  if (startTime === undefined) {
    process.kill(-pid, "SIGKILL");
    throw new HalonError("HAL_PLATFORM", "/proc cannot be read; Halon needs it to know processes");
  }
  const record = recordOf(spec, plan, { pid, startTime, outputStart });
  tryToWrite(spec.directory, record);
  const watch = {
    hasten: () => undefined,
    cancel() {
      child.removeAllListeners();
      child.unref();
    },
  };
  const running = runProcess({ spec, process: plan.process, record, watch, listener });
  if (isNew) child.once("spawn", running.begin);
  else setImmediate(running.begin);
  child.once("exit", (code, signal) => running.leaderExited({ code, signal }));
  return running.runner;
}

function whenSpawnFails(child: ChildProcess, plan: Plan, spec: RunnerSpec): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(describeFailure(error, plan.command[0], spec)));
  });
}
