import { parentPort } from "node:worker_threads";
import { limits } from "../limits.ts";
import { serve } from "./serve.ts";
import { type ThreadData, wordOf } from "./shared.ts";
import { serveShared } from "./thread-shared.ts";

// The entry of a thread for services. It is started before it is needed, and waits to be told what it is for.

// Every service file imports it, and it takes longer to load than all the rest.
void import("../../index.ts");
parentPort?.once("message", (data: ThreadData) => {
  const words = new Int32Array(data.words);
  const beat = (): void => {
    const { heapUsed, external } = process.memoryUsage();
    Atomics.store(words, wordOf.memoryKib, Math.ceil((heapUsed + external) / 1_024));
    Atomics.add(words, wordOf.beat, 1);
  };
  setInterval(beat, limits.beatEveryMs);
  beat();
  if (data.type === "shared") serveShared(words);
  else serveAlone(data);
});

function serveAlone({ service, port }: Extract<ThreadData, { type: "own" }>): void {
  const served = serve({
    data: service,
    port,
    write: (text) => process.stdout.write(text),
    // Output and messages of this turn go out before the thread ends.
    ended: (code) => void setImmediate(() => process.exit(code)),
  });
  const onCrash = (error: unknown): void => {
    // A service that listens itself has decided that it goes on.
    if (process.listenerCount("uncaughtException") === 1) served.crash(error);
  };
  // Left to itself, a thread takes several times as long to end with an exception as it takes to exit.
  process.on("uncaughtException", onCrash);
}
