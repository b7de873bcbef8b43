import { parentPort } from "node:worker_threads";
import { HalonError } from "@halon/protocol";
import { exposeWorker } from "../dist/index.js";

exposeWorker(
  {
    add: (a, b) => a + b,
    refuse: () => {
      throw new HalonError("HAL_CONFLICT", "no", { details: { of: 1 } });
    },
    crash: () =>
      setTimeout(() => {
        throw new Error("uncaught");
      }),
    exit: () => process.exit(3),
    never: () => new Promise(() => undefined),
    spin: () => {
      for (;;);
    },
  },
  parentPort,
);
