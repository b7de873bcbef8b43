import { defineService, file, z } from "@halon/service";

/** The OS process that is killed. */
export default defineService({
  name: "victim",
  version: "1.0.0",
  config: z.object({ stamps: z.string(), label: z.string(), clock: z.string() }),
  restart: { resetAfter: "500ms" },
  process: {
    command: [
      "perl",
      file("./victim.pl"),
      "{config.stamps}",
      "{config.label}/{node}",
      "{config.clock}",
    ],
    ready: { type: "output", pattern: "^ready$" },
  },
});
