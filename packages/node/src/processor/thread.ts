import { Worker } from "node:worker_threads";
import { makeProgress, readProgress } from "@halon/coordinator";
import type { FromProcessor, ToProcessor } from "../core/processor-messages.ts";
import type { ProcessorThreadData, ToProcessorThread } from "./rule-work.ts";

/** Heap of the thread. What its files hold is bounded; this ends what is not. */
const heapMb = 256;
const stopMs = 1_000;

/** The processor's thread, seen from the main thread. */
export interface ProcessorThread {
  readonly beats: number;
  tell(message: ToProcessor): void;
  /** Ends it wherever it is. */
  end(): void;
  /** Lets it finish; it is ended when it does not. */
  stop(): Promise<void>;
}

export interface ProcessorThreadOptions {
  readonly entry: URL;
  blobPath(hash: string): string;
  answered(answer: FromProcessor): void;
  /** It has ended; `running`: the file whose code ran then. */
  ended(reason: string, running: string | null): void;
}

export function startProcessorThread(options: ProcessorThreadOptions): ProcessorThread {
  const progress = makeProgress();
  const workerData: ProcessorThreadData = { progress };
  // It is compiled code, and resolves what it imports as such, whatever the process was started with.
  const worker = new Worker(options.entry, {
    workerData,
    name: "processor",
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  let names: readonly string[] = [];
  let reason = "it ended";
  let isStopping = false;
  worker.on("message", (answer: FromProcessor) => options.answered(answer));
  worker.on("error", (error) => {
    reason = error.message;
  });
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", () => {
      if (!isStopping) options.ended(reason, readProgress(progress, names).file);
      resolve();
    });
  });
  return {
    get beats() {
      return readProgress(progress, names).beats;
    },
    tell(message) {
      if (message.type !== "files") {
        worker.postMessage(message);
        return;
      }
      names = message.files.map(({ file }) => file);
      const files = message.files.map((each) => ({ ...each, path: options.blobPath(each.blob) }));
      worker.postMessage({ type: "files", files } satisfies ToProcessorThread);
    },
    end: () => void worker.terminate(),
    async stop() {
      isStopping = true;
      worker.postMessage({ type: "stop" } satisfies ToProcessor);
      const late = setTimeout(() => void worker.terminate(), stopMs);
      await exited;
      clearTimeout(late);
    },
  };
}

/** A thread cannot load TypeScript. */
export function processorEntry(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../../dist/bundle/processor.js", here)
    : new URL("../bundle/processor.js", here);
}
