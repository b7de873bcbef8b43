import { type Exit, HalonError } from "@halon/protocol";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { prepareEnd } from "./ending.ts";
import { signalGroup } from "./group.ts";
import { capOutput, lastLines } from "./output.ts";
import type { ProbeResult } from "./probe.ts";
import {
  isDead,
  isRunning,
  type ProcessId,
  readCommand,
  readStat,
  residentKb,
  uptimeMs,
} from "./proc.ts";
import { awaitReady, probeOf } from "./ready.ts";
import {
  type Acquired,
  type ProcessManifest,
  type ProcessRecord,
  removeRecord,
  writeRecord,
} from "./record.ts";

/** Well within what an event takes. */
const reasonCharsMax = 2_000;

/** How the end of the leader is noticed: by its parent, or by looking. */
export interface LeaderWatch {
  /** The end is near: look often. */
  hasten(): void;
  cancel(): void;
}

/** Of a process whose end is told by another, who says it at once. */
export const noWatch: LeaderWatch = { hasten: () => undefined, cancel: () => undefined };

/** A process that runs, started by this `halond` or by an earlier one. */
export interface Running {
  readonly spec: RunnerSpec;
  readonly process: ProcessManifest;
  readonly record: ProcessRecord;
  readonly watch: LeaderWatch;
  readonly listener: (event: RunnerEvent) => void;
}

/** A runner, and what its starter has to tell it. */
export interface ProcessRunner {
  readonly runner: Runner;
  /** Reports `loaded` and begins to wait for readiness. */
  begin(): void;
  /** The leader is gone and reaped; `exited` follows when the rest of its group is gone too. */
  leaderExited(exit: Exit): void;
}

type Phase = "waiting" | "ready" | "failed" | "stopping" | "ending" | "ended" | "released";

/** The life of a process from its spawn to the end of its group, whoever started it. */
export function runProcess(running: Running): ProcessRunner {
  const { spec, process, record, watch, listener } = running;
  const leader: ProcessId = { pid: record.pid, startTime: record.startTime };
  const cap = capOutput(spec.directory, process.outputBytesMax);
  let phase: Phase = "waiting";
  let stopWaiting: () => void = () => undefined;
  const ending = prepareEnd({ spec, process, leader, home: record.home });

  function begin(): void {
    if (phase !== "waiting") return;
    listener({ type: "loaded" });
    if (record.ready !== null) {
      becomeReady(record.ready.acquired);
      return;
    }
    try {
      stopWaiting = awaitReady({
        check: process.ready,
        values: spec,
        outputStart: record.outputStart,
        onReady: becomeReady,
        onFailed: fail,
      });
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  }

  function becomeReady(acquired: Acquired | null): void {
    if (phase !== "waiting") return;
    phase = "ready";
    if (acquired !== null) listener({ type: "acquired", ...acquired });
    listener({ type: "ready" });
    // Only what cannot be asked again: a line of output. After the report, which is waited for; where halond dies in
    // between, the next one looks through the output again.
    if (process.ready.type === "output" && record.ready === null)
      tryToWrite(spec.directory, { ...record, ready: { acquired } });
  }

  function fail(reason: string): void {
    if (phase !== "waiting") return;
    phase = "failed";
    listener(startProblem(reason));
    signalGroup(leader, "SIGKILL");
    watch.hasten();
  }

  function leaderExited(exit: Exit): void {
    if (phase === "ended" || phase === "released" || phase === "ending") return;
    stopWaiting();
    if (phase === "waiting") {
      listener(startProblem(endedEarly(exit, lastLines(spec.directory, record.outputStart))));
    }
    phase = "ending";
    ending.leaderExited(() => {
      phase = "ended";
      cap.finish();
      // Before the report: the next start for this service may come from within it, with a record of its own.
      removeRecord(spec.directory);
      listener({ type: "exited", exit, reason: describeExit(exit) });
    });
  }

  function end(how: "requestStop" | "kill"): void {
    if (phase === "ended" || phase === "released") return;
    if (phase !== "failed" && phase !== "ending") phase = "stopping";
    stopWaiting();
    ending[how]();
    if (phase !== "ending") watch.hasten();
  }

  const runner: Runner = {
    osPid: leader.pid,
    requestStop: () => end("requestStop"),
    kill: () => end("kill"),
    ...questions({ spec, process, record, leader }),
    release() {
      if (phase === "ended") return true;
      phase = "released";
      stopWaiting();
      cap.cancel();
      ending.cancel();
      watch.cancel();
      return true;
    },
  };
  return { runner, begin, leaderExited };
}

/** Why it did not start, cut to what an event takes. */
export function startProblem(reason: string): RunnerEvent {
  return { type: "problem", code: "HAL_SERVICE_START", reason: reason.slice(0, reasonCharsMax) };
}

/** Writes the record; without it the next `halond` knows the process by its mark, and ends it. */
export function tryToWrite(directory: string, record: ProcessRecord): void {
  try {
    writeRecord(directory, record);
  } catch {
    // A full disk must not keep a service from starting: the mark in its environment stands in for the record.
  }
}

/** A few words on an end. */
export function describeExit({ code, signal }: Exit): string {
  if (signal !== null) return `ended by ${signal}`;
  if (code !== null) return `exited with code ${code}`;
  return "it is gone; how it ended is not known, as an earlier halond had started it";
}

function endedEarly(exit: Exit, lines: readonly string[]): string {
  const output = lines.length === 0 ? "it wrote nothing" : `it last wrote:\n${lines.join("\n")}`;
  return `the process ended before it was ready (${describeExit(exit)}); ${output}`;
}

interface Asked {
  readonly spec: RunnerSpec;
  readonly process: ProcessManifest;
  readonly record: ProcessRecord;
  readonly leader: ProcessId;
}

type Questions = Omit<Runner, "osPid" | "requestStop" | "kill" | "release">;

/** The members of a runner that only look. */
function questions({ spec, process, record, leader }: Asked): Questions {
  return {
    async check(timeoutMs) {
      if (!isRunning(leader)) {
        return { health: "fail", detail: `process ${leader.pid} does not run` };
      }
      return asHealth(await probe(process.check, spec, timeoutMs));
    },
    async alive(timeoutMs) {
      const stat = readStat(leader.pid);
      if (stat === undefined || stat.startTime !== leader.startTime || isDead(stat)) {
        return { ok: false, detail: `process ${leader.pid} does not run` };
      }
      // The kernel still takes connections for it, so that a probe of its port would say that all is well.
      if (stat.state === "T") return { ok: false, detail: `process ${leader.pid} is stopped` };
      return probe(process.liveness, spec, timeoutMs);
    },
    async status() {
      if (!isRunning(leader)) {
        const message = `${record.instance} does not run as process ${leader.pid} any more`;
        throw new HalonError("HAL_SERVICE_NOT_RUNNING", message);
      }
      return {
        osPid: leader.pid,
        uptimeMs: uptimeMs(leader),
        rssKb: residentKb(leader.pid) ?? null,
        command: readCommand(leader.pid),
        lastLines: lastLines(spec.directory, record.outputStart),
      };
    },
    reconfigure: async () => "restart",
    async call(message) {
      throw new HalonError(
        "HAL_BAD_REQUEST",
        `an OS process takes no messages; ${message} cannot be sent to ${record.instance}`,
      );
    },
    silentMs: () => undefined,
    memoryMb() {
      const kb = isRunning(leader) ? residentKb(leader.pid) : undefined;
      return kb === undefined ? undefined : kb / 1_024;
    },
  };
}

async function probe(
  check: ProcessManifest["check"],
  spec: RunnerSpec,
  timeoutMs: number,
): Promise<ProbeResult> {
  if (check.type === "alive") return { ok: true };
  try {
    return await probeOf(check, spec)(timeoutMs);
  } catch (error) {
    // The templates were tried before the start; the record of an adopted process could still be of an older form.
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function asHealth(result: ProbeResult): Awaited<ReturnType<Runner["check"]>> {
  return result.ok
    ? { health: "ok" }
    : { health: "fail", detail: result.detail.slice(0, reasonCharsMax) };
}
