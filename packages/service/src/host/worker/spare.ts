import { Worker } from "node:worker_threads";
import { limits } from "../limits.ts";
import { threadEntry } from "../thread-entry.ts";

interface Spare {
  readonly worker: Worker;
  readonly memoryMb: number;
}

/** For the whole process, the last used limit of memory last: threads belong to it, not to a runtime. */
let spares: readonly Spare[] = [];
let timer: NodeJS.Timeout | undefined;
/** Limits of memory for which a spare is to be made. */
const wanted = new Set<number>();

/**
 * A thread that waits for its `ThreadData`: a spare one where there is one with this limit of memory.
 *
 * To start a thread and load the packages that every service imports takes far longer than all the rest of a
 * recovery; a spare has done both. No service has run in it.
 */
export function takeThread(memoryMb: number): Worker {
  const spare = spares.find((each) => each.memoryMb === memoryMb);
  // The oldest wish goes first.
  wanted.delete(memoryMb);
  wanted.add(memoryMb);
  clearTimeout(timer);
  // Not at once: the service that starts now needs the processor more.
  timer = setTimeout(refill, limits.spareAfterMs);
  timer.unref();
  if (spare === undefined) return createThread(memoryMb);
  spares = spares.filter((each) => each !== spare);
  spare.worker.removeAllListeners("exit");
  spare.worker.removeAllListeners("error");
  spare.worker.ref();
  return spare.worker;
}

/** Makes a spare with this limit of memory, unless there is one; those that nobody took for longest make way. */
export function prepareThread(memoryMb: number): void {
  const present = spares.find((each) => each.memoryMb === memoryMb);
  const others = spares.filter((each) => each !== present);
  spares = [...others, present ?? createSpare(memoryMb)];
  const surplus = spares.slice(0, Math.max(0, spares.length - limits.spareThreadsMax));
  spares = spares.slice(surplus.length);
  for (const { worker } of surplus) void worker.terminate();
}

function refill(): void {
  for (const memoryMb of [...wanted].slice(-limits.spareThreadsMax)) prepareThread(memoryMb);
  wanted.clear();
}

function createSpare(memoryMb: number): Spare {
  const worker = createThread(memoryMb);
  const drop = (): void => {
    spares = spares.filter((each) => each.worker !== worker);
  };
  worker.once("exit", drop);
  worker.once("error", drop);
  worker.unref();
  return { worker, memoryMb };
}

function createThread(memoryMb: number): Worker {
  return new Worker(threadEntry("worker/thread"), {
    env: workerEnvironment(process.env),
    // Flags of halond, such as a loader, are not for the service.
    execArgv: [],
    resourceLimits: {
      maxOldGenerationSizeMb: memoryMb,
      maxYoungGenerationSizeMb: limits.threadYoungMb,
    },
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
