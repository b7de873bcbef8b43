import { pathToFileURL } from "node:url";
import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { nodeEndpoint } from "@halon/actor/thread";
import { Health, type Json } from "@halon/protocol";
import * as Comlink from "comlink";
import { z } from "zod";
import { limits } from "../limits.ts";
import type { Runner, RunnerEvent, StartRunner } from "../runner.ts";
import { createGuard } from "./guard.ts";
import { openOutputLog } from "./output-log.ts";
import {
  beatIndex,
  memoryIndex,
  sharedBytes,
  type ThreadCalls,
  type ThreadData,
} from "./shared.ts";
import { takeThread } from "./spare.ts";
import { ThreadEvent } from "./wire.ts";

const CheckAnswer = z.object({ health: Health, detail: z.string().optional() });
const now = () => performance.now();

/** Runs the service in a worker thread of its own. */
export const startWorker: StartRunner = (spec, listener) => {
  const { port1: calls, port2: threadCalls } = new MessageChannel();
  const shared = new SharedArrayBuffer(sharedBytes);
  const worker = takeThread(spec.manifest.memoryMb);
  const data: ThreadData = {
    blobUrl: pathToFileURL(spec.blobPath(spec.manifest.blob)).href,
    node: spec.node,
    service: spec.service,
    instance: spec.instance,
    config: spec.configValues(),
    resourceKinds: Object.keys(spec.manifest.resources),
    beatEveryMs: limits.beatEveryMs,
    shared,
    calls: threadCalls,
  };
  worker.postMessage(data, [threadCalls]);
  const output = openOutputLog(spec.directory, now);
  worker.stdout.on("data", (chunk: Uint8Array) => output.write(chunk));
  worker.stderr.on("data", (chunk: Uint8Array) => output.write(chunk));
  const guard = createGuard();
  reportTo(listener, worker, (reason) => {
    guard.close(reason);
    calls.close();
    void output.close();
  });
  return createRunner(worker, calls, guard, new Int32Array(shared));
};

/** Hands what the thread says to the listener, and its exit last. */
function reportTo(
  listener: (event: RunnerEvent) => void,
  worker: Worker,
  closed: (reason: string) => void,
): void {
  let crash: string | null = null;
  worker.on("message", (message: unknown) => {
    const event = ThreadEvent.safeParse(message);
    if (event.success) listener(event.data);
  });
  // The thread dies next; only its exit says that it is dead.
  worker.on("error", (error: unknown) => {
    crash = crashReason(error);
  });
  worker.on("exit", (code) => {
    const reason = crash ?? `the thread ended with exit code ${code}`;
    closed(reason);
    listener({ type: "exited", exit: { code, signal: null }, reason });
  });
}

function crashReason(error: unknown): string {
  const thrown = error as { code?: unknown; name?: unknown; message?: unknown } | null;
  if (thrown?.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return "memory: the heap is over memoryMb";
  }
  const text =
    error instanceof Error ? `uncaught ${error.name}: ${error.message}` : "uncaught value";
  return text.slice(0, 2_000);
}

function createRunner(
  worker: Worker,
  calls: MessagePort,
  guard: ReturnType<typeof createGuard>,
  words: Int32Array,
): Runner {
  const thread = Comlink.wrap<ThreadCalls>(nodeEndpoint(calls));
  let lastBeat = 0;
  let beatSeenAt = now();
  return {
    osPid: undefined,
    requestStop: () => worker.postMessage("stop"),
    kill: () => void worker.terminate(),
    async check(timeoutMs) {
      const answer = CheckAnswer.parse(await guard.run("check", () => thread.check(), timeoutMs));
      const { health, detail } = answer;
      return detail === undefined ? { health } : { health, detail: detail.slice(0, 2_000) };
    },
    status: (timeoutMs) => guard.run("status", () => thread.status() as Promise<Json>, timeoutMs),
    reconfigure: (config, timeoutMs) =>
      guard.run("reconfigure", () => thread.reconfigure(config), timeoutMs),
    call: (message, args, timeoutMs) =>
      guard.run(`message ${message}`, () => thread.call(message, args) as Promise<Json>, timeoutMs),
    silentMs() {
      const beat = Atomics.load(words, beatIndex);
      if (beat !== lastBeat) {
        lastBeat = beat;
        beatSeenAt = now();
      }
      return now() - beatSeenAt;
    },
    memoryMb: () => Atomics.load(words, memoryIndex) / 1_024,
    release: () => false,
  };
}
