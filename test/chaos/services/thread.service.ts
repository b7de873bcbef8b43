import { appendFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { defineService, z } from "@halon/service";

/** A worker on every node; it crashes or hangs when its socket is told so. */
export default defineService({
  name: "thread",
  version: "1.0.0",
  config: z.object({ run: z.string(), oracle: z.string() }),
  // Put by the rule of this cluster: a rule file cannot declare kinds of its own.
  resources: {
    MarkTally: z.object({
      count: z.number().int(),
      sum: z.number().int(),
      remembered: z.number().int(),
      misplaced: z.number().int(),
    }),
  },
  restart: { resetAfter: "100ms", backoff: "50ms", backoffMax: "1s", maxFailures: 1_000 },
  async start({ config, node, service, instance }) {
    const name = `halon-chaos-${config.run}-${node}-${service}`;
    const server = createServer((socket) => obey(socket, instance));
    await new Promise<void>((resolve) => {
      server.once("error", (error) => {
        appendFileSync(
          config.oracle,
          `OVERLAP ${name} wanted by ${instance}, thread of process ${process.pid}: ${error.message}\n`,
        );
        resolve();
      });
      server.listen(`\0${name}`, resolve);
    });
    return {
      check: () => ({ health: "ok" }),
      status: () => ({ instance }),
      stop: () => void server.close(),
    };
  },
});

function obey(socket: Socket, instance: string): void {
  socket.on("error", () => socket.destroy());
  socket.write(`${instance}\n`);
  socket.once("data", (data) => {
    const order = data.toString().trim();
    if (order === "crash") setImmediate(crash);
    if (order === "hang") for (;;);
  });
}

function crash(): never {
  throw new Error("asked to crash");
}
