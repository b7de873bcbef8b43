import { HalonError } from "@halon/protocol";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { startProblem } from "./process-runner.ts";

/** What went wrong before there was a process, and what to do. */
export function describeFailure(
  error: unknown,
  program: string | undefined,
  spec: RunnerSpec,
): string {
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
export function failLater(listener: (event: RunnerEvent) => void, reason: Promise<string>): Runner {
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
