import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { withDeathSignal } from "../keeper/death-signal.ts";
import { describeFailure, failLater } from "../process/failed-start.ts";
import { outputPath } from "../process/output.ts";
import { readStat } from "../process/proc.ts";
import type { StartRunner } from "../runner.ts";
import { NodeProcess } from "./node-process.ts";

/**
 * Runs the service in a Node process of its own, in a session of its own; it does not outlive `halond`.
 *
 * Nothing is reported from within the call. A start that fails is `problem` and then `exited`.
 */
export const startNodeProcess: StartRunner = (spec, listener) => {
  let node: NodeProcess | undefined;
  try {
    node = new NodeProcess(spec, listener);
    const child = spawnChild(node, spec.directory);
    if (child.pid === undefined) {
      const failure = new Promise<string>((resolve) => {
        child.once("error", (error) => resolve(describeFailure(error, process.execPath, spec)));
      });
      node.abandon();
      return failLater(listener, failure);
    }
    // Not reaped before this call returns, so it is there even when it has already ended.
    const startTime = readStat(child.pid)?.startTime ?? 0;
    const running = node.run({ pid: child.pid, startTime }, listener);
    child.once("exit", (code, signal) => running.leaderExited({ code, signal }));
    return running.runner;
  } catch (error) {
    node?.abandon();
    return failLater(listener, Promise.resolve(describeFailure(error, undefined, spec)));
  }
};

function spawnChild({ command, env }: NodeProcess, directory: string) {
  const output = openSync(outputPath(directory), "a", 0o600);
  try {
    const [program, ...args] = withDeathSignal(command);
    return spawn(program, args, {
      cwd: directory,
      env,
      detached: true,
      stdio: ["ignore", output, output],
    });
  } finally {
    closeSync(output);
  }
}
