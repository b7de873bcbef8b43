import { defineService, file, z } from "@halon/service";

/** An OS process on every node, with a helper in its group that does not obey SIGTERM. */
export default defineService({
  name: "proc",
  version: "1.0.0",
  config: z.object({ run: z.string(), oracle: z.string() }),
  restart: { resetAfter: "100ms", backoff: "50ms", backoffMax: "1s", maxFailures: 1_000 },
  process: {
    command: ["node", file("./holder.mjs")],
    env: { RUN: "{config.run}", ORACLE: "{config.oracle}", HELPER: "yes" },
    ready: { type: "output", pattern: "^ready$" },
  },
});
