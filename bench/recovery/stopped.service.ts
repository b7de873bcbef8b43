import { defineService, file, z } from "@halon/service";

/** The OS process that is stopped (SIGSTOP): not alive for two checks in a row, so one second is its deadline. */
export default defineService({
  name: "stopped",
  version: "1.0.0",
  config: z.object({ stamps: z.string(), label: z.string(), clock: z.string() }),
  restart: { resetAfter: "500ms" },
  checkEvery: "500ms",
  checkTimeout: "500ms",
  livenessFailures: 2,
  process: {
    command: [
      "perl",
      file("./victim.pl"),
      "{config.stamps}",
      "{config.label}/{node}",
      "{config.clock}",
    ],
    ready: { type: "output", pattern: "^ready$" },
    liveness: { type: "alive" },
  },
});
