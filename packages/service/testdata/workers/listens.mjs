import { once } from "node:events";
import { createServer } from "node:net";
import { defineService, z } from "@halon/service";

export default defineService({
  name: "good",
  version: "1.0.0",
  config: z.object({ port: z.number().default(0) }),
  async start(context) {
    const server = createServer().listen(context.config.port, "127.0.0.1");
    await once(server, "listening");
    return {
      messages: {
        port: () => server.address().port,
        crash: () => void Promise.reject(new Error("nobody caught me")),
      },
    };
  },
});
