import { parentPort } from "node:worker_threads";
import { limits } from "../limits.ts";
import { serve } from "./serve.ts";
import { type ThreadData, wordOf } from "./shared.ts";
import { serveShared } from "./thread-shared.ts";

// The entry of a thread for services. It is started before it is needed, and waits to be told what it is for.

let isNeeded = false;
parentPort?.once("message", (data: ThreadData) => {
  isNeeded = true;
  const words = new Int32Array(data.words);
  const beat = (): void => {
    const { heapUsed, external } = process.memoryUsage();
    Atomics.store(words, wordOf.memoryKib, Math.ceil((heapUsed + external) / 1_024));
    Atomics.add(words, wordOf.beat, 1);
  };
  if (data.type === "shared") serveShared(words);
  else serveAlone(data);
  // Last: the service is waited for.
  setInterval(beat, limits.beatEveryMs);
  beat();
});

// Loaded later, so that what this thread is for has been heard by then.
const { rehearse } = await import("./rehearsal.ts");
if (!isNeeded) await rehearse();

function serveAlone({ service, port }: Extract<ThreadData, { type: "own" }>): void {
  const served = serve({
    data: service,
    port,
    write: (text) => process.stdout.write(text),
    // Output and messages of this turn go out before the thread ends.
    ended: (code) => void setImmediate(() => process.exit(code)),
  });
  // Left to itself, a thread takes twice as long to end with an exception as it takes to exit.
  process.on("uncaughtException", (error) => {
    // A service that listens itself has decided that it goes on.
    if (process.listenerCount("uncaughtException") === 1) served.crash(error);
  });
}
