import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync } from "node:fs";
import { HalonError } from "@halon/protocol";
import { groupExists, signalGroup } from "../process/group.ts";
import { lastLines, outputPath } from "../process/output.ts";
import { type ProcessId, readStat } from "../process/proc.ts";
import type { Agent } from "./agent.ts";
import { markPath } from "./processes.ts";

/** From SIGTERM to SIGKILL, and from there until the call is given up. */
const graceMs = 500;
const lostMs = 2_000;

/** How a call of an agent ended. */
export type Outcome =
  | { readonly type: "returned"; readonly code: number; readonly lines: readonly string[] }
  | { readonly type: "signalled"; readonly signal: string; readonly lines: readonly string[] }
  | { readonly type: "late"; readonly timeoutMs: number; readonly lines: readonly string[] }
  /** It was ended because something else came first. */
  | { readonly type: "dropped" }
  | { readonly type: "notRun"; readonly reason: string };

/** One call of an agent. */
export interface Call {
  /** Ends the call with all of its process group; its outcome is `dropped`. */
  drop(): void;
  /** Lets it go on without anybody who waits; its outcome never comes. */
  leave(): void;
}

export interface CallOptions {
  readonly agent: Agent;
  readonly action: string;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** What it starts is to live on after the call: its group is left alone when it returns. */
  readonly leavesProcesses: boolean;
}

/**
 * Calls an agent in a session of its own, with its output in the service's output file and the mark as descriptor 3.
 *
 * `onEnd` is called once, never from within this call. At the deadline its group gets SIGTERM, then SIGKILL. Throws when the
 * service's directory is gone or a value cannot stand in an environment.
 */
export function callAgent(options: CallOptions, onEnd: (outcome: Outcome) => void): Call {
  const { agent, action, directory, timeoutMs } = options;
  const { child, outputStart } = spawnCall(options);
  const leader = leaderOf(child.pid);
  let ending: "late" | "dropped" | undefined;
  let timer = setTimeout(() => end("late"), timeoutMs);

  function finish(outcome: Outcome): void {
    forget();
    if (leader !== undefined && !(options.leavesProcesses && outcome.type === "returned")) {
      endRest(leader);
    }
    onEnd(outcome);
  }

  function forget(): void {
    clearTimeout(timer);
    child.removeAllListeners();
    // Stays: an error without a listener would end this process.
    child.on("error", () => undefined);
    child.unref();
  }

  function end(why: "late" | "dropped"): void {
    if (ending !== undefined || leader === undefined) return;
    ending = why;
    signalGroup(leader, "SIGTERM");
    clearTimeout(timer);
    timer = setTimeout(() => {
      signalGroup(leader, "SIGKILL");
      // A process that waits for a disk or a device does not die; the caller must not wait with it.
      timer = setTimeout(() => finish(outcomeOf(null, "SIGKILL")), lostMs);
    }, graceMs);
  }

  function outcomeOf(code: number | null, signal: string | null): Outcome {
    if (ending === "dropped") return { type: "dropped" };
    const lines = lastLines(directory, outputStart);
    if (ending === "late") return { type: "late", timeoutMs, lines };
    if (code !== null) return { type: "returned", code, lines };
    return { type: "signalled", signal: signal ?? "an unknown signal", lines };
  }

  child.once("exit", (code, signal) => finish(outcomeOf(code, signal)));
  child.once("error", (error) =>
    finish({ type: "notRun", reason: `${agent.path} ${action} cannot be run: ${error.message}` }),
  );
  return { drop: () => end("dropped"), leave: forget };
}

function spawnCall({ agent, action, directory, env }: CallOptions) {
  const output = openSync(outputPath(directory), "a", 0o600);
  const mark = openSync(markPath(directory), "a", 0o600);
  try {
    const outputStart = fstatSync(output).size;
    const child = spawn(agent.path, [action], {
      cwd: "/",
      env,
      detached: true,
      stdio: ["ignore", output, output, mark],
    });
    return { child, outputStart };
  } finally {
    closeSync(output);
    closeSync(mark);
  }
}

/** Not reaped before the event loop turns, so it is there even when it has already ended. */
function leaderOf(pid: number | undefined): ProcessId | undefined {
  if (pid === undefined) return undefined;
  const startTime = readStat(pid)?.startTime;
  if (startTime !== undefined) return { pid, startTime };
  process.kill(-pid, "SIGKILL");
  throw new HalonError("HAL_PLATFORM", "/proc cannot be read; Halon needs it to know processes");
}

/** What a call that is to leave nothing left in its group. */
function endRest(leader: ProcessId): void {
  if (groupExists(leader.pid)) signalGroup(leader, "SIGKILL");
}
