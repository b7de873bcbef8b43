import { closeSync, openSync, writeSync } from "node:fs";
import { defineService, z } from "@halon/service";

/** The same as service code, which runs as a Node process of its own where it is exclusive. */
export default defineService({
  name: "writer-worker",
  version: "1.0.0",
  config: z.object({ file: z.string() }),
  restart: { resetAfter: "100ms", backoff: "50ms", backoffMax: "1s", maxFailures: 1_000 },
  start({ config, service, node, fencingToken, signal }) {
    const out = openSync(config.file, "a");
    const timer = setInterval(() => {
      writeSync(
        out,
        `${process.hrtime.bigint()} ${fencingToken} ${service} ${node} ${process.pid}\n`,
      );
    }, 10);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      closeSync(out);
    });
    return {};
  },
});
