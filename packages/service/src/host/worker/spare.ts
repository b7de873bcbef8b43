import { Worker } from "node:worker_threads";
import { limits } from "../limits.ts";
import { threadEntry } from "../thread-entry.ts";

interface Spare {
  readonly worker: Worker;
  readonly memoryMb: number;
}

/** One for the whole process: threads belong to it, not to a runtime. */
let spare: Spare | undefined;
let timer: NodeJS.Timeout | undefined;

/**
 * A thread that waits for its `ThreadData`: the spare one where there is one with this limit of memory.
 *
 * To start a thread and load the packages that every service imports takes far longer than all the rest of a
 * recovery; a spare has done both. No service has run in it, and none gets one that another has used.
 */
export function takeThread(memoryMb: number): Worker {
  const taken = spare?.memoryMb === memoryMb ? spare.worker : undefined;
  clearTimeout(timer);
  // Not at once: the service that starts now needs the processor more.
  timer = setTimeout(() => prepareThread(memoryMb), limits.spareAfterMs);
  timer.unref();
  if (taken === undefined) return createThread(memoryMb);
  spare = undefined;
  taken.removeAllListeners("exit");
  taken.removeAllListeners("error");
  taken.ref();
  return taken;
}

/** Makes the spare one; an older one with another limit of memory ends. */
export function prepareThread(memoryMb: number): void {
  if (spare?.memoryMb === memoryMb) return;
  void spare?.worker.terminate();
  const worker = createThread(memoryMb);
  const drop = (): void => {
    if (spare?.worker === worker) spare = undefined;
  };
  worker.once("exit", drop);
  worker.once("error", drop);
  worker.unref();
  spare = { worker, memoryMb };
}

function createThread(memoryMb: number): Worker {
  return new Worker(threadEntry("worker/thread"), {
    env: workerEnvironment(process.env),
    // Flags of halond, such as a loader, are not for the service.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    stdout: true,
    stderr: true,
    name: "service",
  });
}

/** What a service sees of the environment: nothing of `halond` itself, and no secret. */
export function workerEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const allowed: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "LANG", "TZ", "TMPDIR"]) {
    const value = environment[name];
    if (value !== undefined) allowed[name] = value;
  }
  return allowed;
}
