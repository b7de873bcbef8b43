/** A thread that stands in for a member's: it says that it is ready, and hangs or crashes when it is asked for its status. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";

const beat = new Int32Array(workerData.beat);
setInterval(() => Atomics.add(beat, 0, 1), 50).unref();
/** What to do, once: the next thread is sound. */
const mark = join(workerData.dataDir, "done");

parentPort.on("message", ({ type, ref }) => {
  if (type === "stop") parentPort.close();
  if (type !== "status") return;
  if (!existsSync(mark)) {
    writeFileSync(mark, "");
    if (workerData.member.cluster === "crash") throw new Error("crashed as it was told");
    if (workerData.member.cluster === "end") {
      parentPort.postMessage({ type: "ended", reason: "removed as it was told", exitCode: 4 });
      process.exit(1);
    }
    for (;;);
  }
  const status = { role: "leader", term: 1, leaderId: null, leaderAddress: null, reason: null };
  parentPort.postMessage({ type: "statusIs", ref, status });
});
parentPort.postMessage({ type: "ready" });
