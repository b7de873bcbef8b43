import { defineService, file, z } from "@halon/service";

/** An OS process of which one may run in the cluster. */
export default defineService({
  name: "writer-process",
  version: "1.0.0",
  config: z.object({ file: z.string() }),
  restart: { resetAfter: "100ms", backoff: "50ms", backoffMax: "1s", maxFailures: 1_000 },
  process: {
    command: ["node", file("./run-writer.mjs")],
    env: { FILE: "{config.file}", SERVICE: "{service}", NODE: "{node}" },
    ready: { type: "output", pattern: "^ready$" },
  },
});
