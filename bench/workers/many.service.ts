import { appendFileSync } from "node:fs";
import { createServer } from "node:net";
import { defineService, z } from "@halon/service";

/** One of many in shared threads; it throws as soon as somebody connects to its socket, and stamps both ends. */
export default defineService({
  name: "many",
  version: "1.0.0",
  config: z.object({ stamps: z.string(), label: z.string() }),
  restart: { resetAfter: "500ms" },
  startTimeout: "60s",
  thread: "shared",
  async start(context) {
    const { stamps, label } = context.config;
    const stamp = (what: string) =>
      appendFileSync(stamps, `${process.hrtime.bigint()} ${what}/${label} 0\n`);
    const server = createServer(() => {
      stamp("death");
      throw new Error("ended by the benchmark");
    });
    await new Promise<void>((resolve) => {
      server.listen(`\0${stamps}/${label}`, resolve);
    });
    stamp("ready");
  },
});
