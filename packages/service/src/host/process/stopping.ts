import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync } from "node:fs";
import type { RunnerSpec } from "../runner.ts";
import { environmentOf } from "./environment.ts";
import { signalGroup } from "./group.ts";
import { outputPath } from "./output.ts";
import type { ProcessId } from "./proc.ts";
import type { ProcessManifest } from "./record.ts";
import { fill } from "./template.ts";

/** The orderly end of one process: its stop command, then its stop signal. The caller has the deadline and kills. */
export interface Stopping {
  begin(): void;
  /** The process is gone: no signal is sent any more, a command that still runs has the rest of its time. */
  processEnded(): void;
  /** Ends a command that runs. */
  kill(): void;
  /** Calls back once no command runs: at once, in the same call, when that is so now. */
  whenQuiet(quiet: () => void): void;
  /** Neither signals nor calls back; a command that runs goes on. */
  cancel(): void;
}

export interface StoppingOptions {
  readonly spec: RunnerSpec;
  readonly process: Pick<ProcessManifest, "env" | "stopCommand" | "stopSignal">;
  readonly leader: ProcessId;
}

/**
 * Prepares the orderly end of a process.
 *
 * A stop command has half of `stopTimeoutMs`; the signal follows when it fails, and at that deadline when the process
 * is still there. What it writes goes to the output of the service. It sees the environment of the process, and
 * its number as HALON_PID.
 */
export function prepareStop({ spec, process, leader }: StoppingOptions): Stopping {
  let command: ChildProcess | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let isOver = false;
  let quiet: (() => void) | undefined;

  function begin(): void {
    if (isOver || deadline !== undefined) return;
    if (process.stopCommand === undefined) {
      signal();
      return;
    }
    deadline = setTimeout(() => {
      note(
        spec,
        command === undefined
          ? "the stop command has not ended the process"
          : "the stop command took too long",
      );
      killCommand();
      signal();
    }, spec.manifest.stopTimeoutMs / 2);
    try {
      command = spawnCommand(spec, process, leader);
      command.once("error", (error) => commandEnded(error.message));
      command.once("exit", (code, by) => {
        commandEnded(code === 0 ? undefined : `it ended with ${by ?? `code ${code}`}`);
      });
    } catch (error) {
      commandEnded(error instanceof Error ? error.message : String(error));
    }
  }

  function commandEnded(failure: string | undefined): void {
    command = undefined;
    if (failure !== undefined && !isOver) {
      note(spec, `the stop command failed: ${failure}`);
      signal();
    }
    if (isOver) clearTimeout(deadline);
    quiet?.();
  }

  function signal(): void {
    clearTimeout(deadline);
    if (isOver) return;
    signalGroup(leader, process.stopSignal);
    // One that was stopped (SIGSTOP) acts on no signal before it goes on.
    signalGroup(leader, "SIGCONT");
  }

  function killCommand(): void {
    if (command?.pid === undefined) return;
    try {
      globalThis.process.kill(-command.pid, "SIGKILL");
    } catch {
      // It has just ended by itself; its exit tells.
    }
  }

  return {
    begin,
    processEnded() {
      isOver = true;
      if (command === undefined) clearTimeout(deadline);
    },
    kill() {
      isOver = true;
      clearTimeout(deadline);
      killCommand();
    },
    whenQuiet(callback) {
      if (command === undefined) callback();
      else quiet = callback;
    },
    cancel() {
      isOver = true;
      quiet = undefined;
      clearTimeout(deadline);
      command?.removeAllListeners();
      command?.unref();
    },
  };
}

function spawnCommand(
  spec: RunnerSpec,
  described: StoppingOptions["process"],
  leader: ProcessId,
): ChildProcess {
  const [program = "", ...args] = (described.stopCommand ?? []).map((text) => fill(text, spec));
  const output = openSync(outputPath(spec.directory), "a", 0o600);
  try {
    return spawn(program === "node" ? process.execPath : program, args, {
      cwd: spec.directory,
      env: { ...environmentOf(spec, described), HALON_PID: String(leader.pid) },
      // In a group of its own: what it starts ends with it at its deadline.
      detached: true,
      stdio: ["ignore", output, output],
    });
  } finally {
    closeSync(output);
  }
}

/** A line for who reads the output, beside what the command itself has written. */
function note(spec: RunnerSpec, text: string): void {
  try {
    appendFileSync(outputPath(spec.directory), `[halon] ${text}\n`, { mode: 0o600 });
  } catch {
    // A full disk costs output, never the stop.
  }
}
