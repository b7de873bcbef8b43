import { openSync, writeSync } from "node:fs";
import { defineService, z } from "@halon/service";

/** The worker that hangs when it gets a message; it stamps the beginning itself. */
export default defineService({
  name: "spinner",
  version: "1.0.0",
  config: z.object({ stamps: z.string(), label: z.string() }),
  restart: { resetAfter: "500ms" },
  messages: { spin: z.tuple([]) },
  start(context) {
    const startedAt = process.hrtime.bigint();
    const { stamps, label } = context.config;
    const name = `${label}/${context.node}`;
    const stampFile = openSync(stamps, "a");
    writeSync(stampFile, `${startedAt} ${name} 0\n`);
    return {
      messages: {
        spin: () =>
          void setImmediate(() => {
            writeSync(stampFile, `${process.hrtime.bigint()} hang/${name} 0\n`);
            for (;;);
          }),
      },
    };
  },
});
