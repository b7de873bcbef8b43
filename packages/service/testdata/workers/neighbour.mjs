import { createServer } from "node:net";
import { defineService, z } from "@halon/service";

let started = 0;

export default defineService({
  name: "neighbour",
  version: "1.0.0",
  config: z.object({ greeting: z.string().default("hello") }),
  start(context) {
    started += 1;
    let ticks = 0;
    return {
      check: () => ({ health: "ok" }),
      status: () => ({ started, ticks, greeting: context.config.greeting }),
      messages: {
        print: (text) => console.log(text),
        throwLater: () => void setTimeout(() => raise("in a timer"), 1),
        reject: () => void Promise.reject(new Error("nobody caught me")),
        microtask: () => queueMicrotask(() => raise("in a microtask")),
        exit: () => void setTimeout(() => process.exit(7), 1),
        fail: (reason) => context.fail(reason),
        tick: () => void setInterval(() => (ticks += 1), 1),
        listen: () =>
          new Promise((resolve) => {
            const server = createServer().listen(0, () => resolve(server.address().port));
          }),
        spin: () => {
          for (;;);
        },
        eat: () => {
          const eaten = [];
          // Bite by bite, so that it is not a hang on a slow machine.
          const bite = () => {
            eaten.push(new Array(100_000).fill(eaten.length));
            setImmediate(bite);
          };
          bite();
        },
        // Code that no timer or socket of its own keeps going.
        outlive: () => void churn(),
      },
      stop: () => context.log("stopping"),
    };
  },
});

function raise(where) {
  throw new Error(`raised ${where}`);
}

async function churn() {
  const { readFile } = await import("node:fs/promises");
  for (;;) await readFile("/proc/self/stat");
}
