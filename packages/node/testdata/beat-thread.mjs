/** A thread that stands in for that of the beats: the first of a process crashes, the next tells of a beat of each peer. */
import { parentPort, workerData } from "node:worker_threads";

const turnsOfFirst = 1_000;

parentPort.on("message", ({ type, nodes, targets }) => {
  if (type === "stop") parentPort.close();
  if (type !== "peers" || targets.length === 0) return;
  // The supervisor's counter is nobody's here: it says whether this is the first start.
  if (Atomics.add(workerData.progress, 1, turnsOfFirst) === 0)
    throw new Error("crashed as it was told");
  const counters = { main: 1, supervisor: 0, coordinator: 0, member: 0 };
  const arrivals = [...nodes].map(([node, incarnation]) => ({
    node,
    incarnation,
    at: 0,
    counters,
  }));
  parentPort.postMessage({ type: "heard", arrivals });
});
