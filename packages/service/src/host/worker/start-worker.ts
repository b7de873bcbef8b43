import { MessageChannel, type Worker } from "node:worker_threads";
import type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { connectService, type ServiceClient } from "./client.ts";
import { type HostPort, hostPortOf } from "./host-port.ts";
import { openOutputLog } from "./output-log.ts";
import { serviceDataOf } from "./service-data.ts";
import { createWords, type ThreadData } from "./shared.ts";
import { startShared } from "./shared-threads.ts";
import { takeThread } from "./spare.ts";
import { crashOf, createThreadWatch, type ThreadWatch } from "./thread-watch.ts";

const now = () => performance.now();

/** Runs the service in a worker thread: its own, or one that it shares, as its manifest says. */
export const startWorker: StartRunner = (spec, listener) =>
  spec.manifest.thread === "shared" ? startShared(spec, listener) : startAlone(spec, listener);

const startAlone: StartRunner = (spec, listener) => {
  // First, as it throws when a secret cannot be read.
  const service = serviceDataOf(spec);
  const { port1, port2 } = new MessageChannel();
  const words = createWords();
  const worker = takeThread(spec.manifest.memoryMb);
  const data: ThreadData = { type: "own", words, service, port: port2 };
  worker.postMessage(data, [port2]);
  const port = hostPortOf(port1);
  const client = connectService(port, {
    event: (event) => listener(withExit(event)),
    peers: spec.peers,
  });
  reportExit(worker, port, client, spec, listener);
  return runnerOf(worker, client, createThreadWatch(words, now));
};

/**
 * After an exception that nobody caught the thread only exits: the failure can be decided while the thread is torn down,
 * which takes milliseconds.
 */
function withExit(event: RunnerEvent): RunnerEvent {
  if (event.type !== "problem" || event.cause !== "exception") return event;
  return { ...event, exit: { code: 1, signal: null } };
}

/** Keeps the output, and tells of the exit when all before it has been told. */
function reportExit(
  worker: Worker,
  port: HostPort,
  client: ServiceClient,
  spec: RunnerSpec,
  listener: (event: RunnerEvent) => void,
): void {
  const output = openOutputLog(spec.directory, now);
  worker.stdout.on("data", (chunk: Uint8Array) => output.write(chunk));
  worker.stderr.on("data", (chunk: Uint8Array) => output.write(chunk));
  let crash: ReturnType<typeof crashOf> | undefined;
  // The thread dies next; only its exit says that it is dead.
  worker.on("error", (error: unknown) => {
    crash = crashOf(error);
  });
  worker.on("exit", (code) => {
    port.drain();
    const { reason, cause } = crash ?? {
      reason: `the thread ended with exit code ${code}`,
      cause: "exit" as const,
    };
    // A turn later: what was drained has yet to reach those who wait for it.
    setImmediate(() => client.close(reason));
    port.close();
    void output.close();
    listener({ type: "exited", exit: { code, signal: null }, reason, cause });
  });
}

function runnerOf(worker: Worker, client: ServiceClient, watch: ThreadWatch): Runner {
  return {
    ...client,
    osPid: undefined,
    kill: () => void worker.terminate(),
    silentMs: watch.silentMs,
    memoryMb: watch.memoryMb,
    release: () => false,
  };
}
