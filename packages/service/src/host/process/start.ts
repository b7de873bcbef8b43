import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync } from "node:fs";
import { HalonError } from "@halon/protocol";
import type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { environmentOf, homeOf } from "./environment.ts";
import { outputPath } from "./output.ts";
import { bootId, readStat } from "./proc.ts";
import { runProcess, startProblem, tryToWrite } from "./process-runner.ts";
import { probeOf } from "./ready.ts";
import type { ProcessManifest, ProcessRecord } from "./record.ts";
import { launchSpare } from "./spare.ts";
import { fill } from "./template.ts";

type Listener = (event: RunnerEvent) => void;

interface Plan {
  readonly process: ProcessManifest;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

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

/** Fills every template before anything is started. Throws HAL_SCHEMA_VIOLATION, and a SyntaxError for a pattern. */
function planStart(spec: RunnerSpec): Plan {
  const { process: described } = spec.manifest;
  if (described === undefined) {
    const message = `the service type ${spec.manifest.name} describes no OS process; apply it again`;
    throw new HalonError("HAL_SERVICE_LOAD", message);
  }
  const { ready, check } = described;
  if (ready.type === "output") new RegExp(ready.pattern);
  if (ready.type === "tcp" || ready.type === "http") probeOf(ready, spec);
  if (check.type === "tcp" || check.type === "http") probeOf(check, spec);
  const [program = "", ...args] = described.command.map((template) => fill(template, spec));
  return {
    process: described,
    command: [program === "node" ? process.execPath : program, ...args],
    env: environmentOf(spec, described),
  };
}

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
  const record: ProcessRecord = {
    format: 1,
    pid,
    startTime,
    bootId: bootId(),
    home: homeOf(spec),
    command: [...plan.command],
    node: spec.node,
    service: spec.service,
    instance: spec.instance,
    type: spec.manifest.name,
    version: spec.manifest.version,
    manifest: spec.manifest,
    config: spec.config,
    configHash: spec.configHash,
    outputStart,
    ready: null,
  };
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

/** What went wrong before there was a process, and what to do. */
function describeFailure(error: unknown, program: string | undefined, spec: RunnerSpec): string {
  if (error instanceof HalonError || program === undefined) {
    return error instanceof Error ? error.message : String(error);
  }
  const { code = "", message } = error as NodeJS.ErrnoException;
  return `cannot start ${program}: ${advice(code, spec) ?? message}`;
}

function advice(code: string, spec: RunnerSpec): string | undefined {
  switch (code) {
    case "ENOENT":
      return `there is no such program (ENOENT); install it on ${spec.node}, name it by its full path, or look whether ${spec.directory} is there`;
    case "EACCES":
      return `it may not be run (EACCES); make it executable for the user of halond on ${spec.node}`;
    case "EMFILE":
    case "ENFILE":
      return `too many files are open (${code}); raise the limit of open files (ulimit -n) of halond on ${spec.node}`;
    case "EAGAIN":
      return `no more processes are allowed (EAGAIN); raise the limit of processes (ulimit -u) on ${spec.node}`;
    default:
      return undefined;
  }
}

/** A runner of nothing: reports why, and then its end. */
function failLater(listener: Listener, reason: Promise<string>): Runner {
  let released = false;
  void reason.then((text) => {
    if (released) return;
    listener(startProblem(text));
    listener({ type: "exited", exit: { code: null, signal: null }, reason: "it was not started" });
  });
  const notRunning = async () => {
    throw new HalonError("HAL_SERVICE_NOT_RUNNING", "the process could not be started");
  };
  return {
    osPid: undefined,
    requestStop: () => undefined,
    kill: () => undefined,
    check: async () => ({ health: "fail", detail: "the process could not be started" }),
    status: notRunning,
    reconfigure: async () => "restart",
    call: notRunning,
    silentMs: () => undefined,
    memoryMb: () => undefined,
    release() {
      released = true;
      return true;
    },
  };
}
