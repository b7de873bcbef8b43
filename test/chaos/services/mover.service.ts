import { defineService, file, z } from "@halon/service";

/** An OS process that moves to another node when its own is lost. */
export default defineService({
  name: "mover",
  version: "1.0.0",
  config: z.object({ run: z.string(), oracle: z.string() }),
  restart: { resetAfter: "100ms", backoff: "50ms", backoffMax: "1s", maxFailures: 1_000 },
  process: {
    command: ["node", file("./holder.mjs")],
    env: { RUN: "{config.run}", ORACLE: "{config.oracle}", HELPER: "no" },
    ready: { type: "output", pattern: "^ready$" },
  },
});
