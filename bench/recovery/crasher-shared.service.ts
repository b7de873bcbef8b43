import { closeSync, openSync, writeSync } from "node:fs";
import { defineService, z } from "@halon/service";

/** The same as `crasher` in a thread that it shares. */
export default defineService({
  name: "crasher-shared",
  version: "1.0.0",
  config: z.object({ stamps: z.string(), label: z.string() }),
  restart: { resetAfter: "500ms" },
  thread: "shared",
  messages: { crash: z.tuple([]) },
  start(context) {
    const startedAt = process.hrtime.bigint();
    const { stamps, label } = context.config;
    const name = `${label}/${context.node}`;
    const stampFile = openSync(stamps, "a");
    writeSync(stampFile, `${startedAt} ${name} 0\n`);
    return {
      messages: {
        // Later than its answer: an exception of the message itself is only the caller's.
        crash: () =>
          void setImmediate(() => {
            writeSync(stampFile, `${process.hrtime.bigint()} death/${name} 0\n`);
            closeSync(stampFile);
            throw new Error("ended by the benchmark");
          }),
      },
    };
  },
});
