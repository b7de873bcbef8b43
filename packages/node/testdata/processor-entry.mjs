// The entry of a processor's thread that ends, or hangs, when an event says so: what an author's code cannot do alone.
import { parentPort } from "node:worker_threads";

const on = parentPort.on.bind(parentPort);
parentPort.on = (name, listener) =>
  on(name, (message) => {
    obey(message);
    listener(message);
  });
await import("../dist/processor/entry.js");

function obey({ type, events }) {
  if (type !== "work") return;
  for (const { data } of events) {
    if (data.n === "end") process.exit(1);
    while (data.n === "hang");
  }
}
