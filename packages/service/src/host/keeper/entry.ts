import { Socket } from "node:net";
import { Keeper } from "./keep.ts";
import { keeperFd } from "./wire.ts";

// The process above one exclusive instance. It loads little: there is one for each of them.

const keeper = new Keeper();
// Whatever goes wrong here, the instance must not outlive its lease.
process.on("uncaughtException", (error) => {
  process.stderr.write(`[halon] the keeper fails, and ends its instance: ${error.stack}\n`);
  keeper.end();
});
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  process.on(signal, () => keeper.end());
}
keeper.join(new Socket({ fd: keeperFd, readable: true, writable: true }));
