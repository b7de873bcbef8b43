import { closeSync, openSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { defineService, z } from "@halon/service";

/** The worker that throws, as soon as somebody connects to its socket; it stamps its death itself. */
export default defineService({
  name: "crasher",
  version: "1.0.0",
  config: z.object({ stamps: z.string(), label: z.string() }),
  restart: { resetAfter: "500ms" },
  async start(context) {
    const startedAt = process.hrtime.bigint();
    const { stamps, label } = context.config;
    const stampFile = openSync(stamps, "a");
    writeSync(stampFile, `${startedAt} ${label}/${context.node} 0\n`);
    const server = createServer(() => {
      writeSync(stampFile, `${process.hrtime.bigint()} death/${label}/${context.node} 0\n`);
      closeSync(stampFile);
      throw new Error("ended by the benchmark");
    });
    await new Promise<void>((resolve) => {
      server.listen(`\0${stamps}/${label}/${context.node}`, resolve);
    });
  },
});
