import { MessageChannel, type ResourceLimits, Worker } from "node:worker_threads";
import { HalonError, toErrorData } from "@halon/protocol";
import type { ExitReason } from "../core/behaviour.ts";
import { makePid, type Pid, startOf, threadOf } from "../core/pid.ts";
import { assertPlain } from "../plain.ts";
import type { Gone, Route, Signal } from "../signal.ts";
import type { SystemCore } from "../system-core.ts";
import { type ThreadFrame, ThreadRoute, type ThreadStart } from "./wire.ts";

/** How a process in a thread of its own is started. */
export interface WorkerOptions {
  readonly name?: string;
  /** Plain data, the second argument of the entry's behaviour. */
  readonly args?: unknown;
  readonly resourceLimits?: ResourceLimits;
  readonly mailboxMax?: number;
  readonly link?: Pid;
  readonly monitor?: Pid;
}

/** A process in a thread of its own. */
export interface WorkerProcess {
  readonly pid: Pid;
  readonly worker: Worker;
  /** Settles at the thread's `exit`, with its code. */
  readonly exited: Promise<number>;
}

/** From source too, a thread runs the built entry: a worker cannot load TypeScript. */
const entryUrl = import.meta.url.endsWith(".ts")
  ? new URL("../../dist/thread/entry.js", import.meta.url)
  : new URL("./entry.js", import.meta.url);

/** Starts a thread whose process is known at once; that it did not start is told as its end. */
export function startWorker(
  core: SystemCore,
  thread: number,
  entry: URL,
  options: WorkerOptions,
  tellNodes: (gone: Gone) => void,
): WorkerProcess {
  assertPlain(options.args, "args");
  const id = { ...core.id, thread };
  const pid = makePid(id, 1);
  if (options.name !== undefined) core.register(options.name, pid);
  const start: ThreadStart = {
    id,
    pid,
    entry: entry.href,
    args: options.args,
    name: options.name ?? null,
    mailboxMax: options.mailboxMax ?? null,
  };
  const worker = new Worker(entryUrl, {
    workerData: start,
    execArgv: [],
    ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
  });
  const route = new WorkerRoute(worker, pid);
  core.routes.setThread(thread, route);
  core.attachStarting(pid, options);
  worker.on("message", (frame: ThreadFrame) => {
    if (frame.type === "ended") route.reason ??= frame.reason;
    else if (frame.type === "signals")
      route.inner.take(frame, (signal) => core.receive(signal, "thread"));
  });
  worker.on("error", (error) => {
    route.reason ??= { error: toErrorData(error) };
  });
  const exited = new Promise<number>((resolve) => {
    worker.on("exit", (code) => {
      core.routes.deleteThread(thread);
      if (options.name !== undefined) core.unregister(options.name);
      const reason = route.reason ?? codeReason(code);
      if (typeof reason === "object")
        core.events.emit("crashed", pid, options.name ?? null, reason);
      const gone: Gone = { type: "gone", start: startOf(pid), thread, reason };
      core.gone(gone);
      tellNodes(gone);
      resolve(code);
    });
  });
  return { pid, worker, exited };
}

function codeReason(code: number): ExitReason {
  const message = `The thread exited with code ${code} and gave no reason.`;
  return { error: { code: "HAL_FAILED", message, details: { exitCode: code } } };
}

/** The way to a worker. A kill is done from here, since a hung thread reads nothing. */
class WorkerRoute implements Route {
  readonly inner: ThreadRoute;
  readonly #worker: Worker;
  readonly #pid: Pid;
  reason: ExitReason | null = null;

  constructor(worker: Worker, pid: Pid) {
    this.inner = new ThreadRoute(worker);
    this.#worker = worker;
    this.#pid = pid;
  }

  send(signal: Signal): void {
    const isKill =
      signal.type === "exit" &&
      signal.to === this.#pid &&
      signal.reason === "killed" &&
      !signal.linked;
    if (!isKill) {
      this.inner.send(signal);
      return;
    }
    this.reason ??= "killed";
    void this.#worker.terminate();
  }
}

/** Joins two workers of one system directly: what they send each other no longer passes the main thread. */
export function connectWorkers(a: WorkerProcess, b: WorkerProcess): void {
  if (a.pid === b.pid || startOf(a.pid) !== startOf(b.pid))
    throw new HalonError(
      "HAL_BAD_REQUEST",
      `Expected two workers of one system, got ${a.pid} and ${b.pid}.`,
    );
  const { port1, port2 } = new MessageChannel();
  a.worker.postMessage({ type: "connect", thread: threadOf(b.pid), port: port1 }, [port1]);
  b.worker.postMessage({ type: "connect", thread: threadOf(a.pid), port: port2 }, [port2]);
}
