// The yardstick: a thread that counts messages on its bare port, and echoes those that ask.
import { parentPort } from "node:worker_threads";

let count = 0;
parentPort.on("message", (message) => {
  count += 1;
  if (message.ask) parentPort.postMessage(count);
});
