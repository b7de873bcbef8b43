import { parentPort, workerData } from "node:worker_threads";
import { hardenThread, ProgressWriter } from "@halon/coordinator/realm";
import { type ProcessorThreadData, RuleWork, type ToProcessorThread } from "./rule-work.ts";

const port = parentPort;
if (port === null) throw new Error("the processor's entry runs in a worker thread only");
const data = workerData as ProcessorThreadData;
const progress = new ProgressWriter(data.progress);
// Its own beat: between two of them the thread has gone once around its event loop.
const beatEveryMs = 50;
setInterval(() => progress.beat(), beatEveryMs).unref();

// What an author's code leaves behind of its own promises is nobody's: it must not end the thread.
process.on("unhandledRejection", (reason, promise) => {
  const { code } = (reason ?? {}) as { readonly code?: unknown };
  if (promise instanceof Promise && code !== "ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING") throw reason;
});
hardenThread();
const work = new RuleWork(progress);
progress.beat();

port.on("message", (message: ToProcessorThread) => {
  progress.beat();
  switch (message.type) {
    case "files":
      void work.load(message.files).then((answer) => port.postMessage(answer));
      return;
    case "work":
      port.postMessage(work.take(message.events, message.now));
      return;
    case "status":
      port.postMessage({ type: "status", ref: message.ref, files: work.status() });
      return;
    case "stop":
      port.close();
      return;
  }
});
