import { defineService, file, z } from "@halon/service";

/** An OS process: a small web server that chooses its own port and says which one it is. */
export default defineService({
  name: "web",
  version: "1.0.0",
  config: z.object({ text: z.string().default("hello from halon") }),
  resources: { TcpPort: z.object({ port: z.number().int(), url: z.string() }) },
  restart: { resetAfter: "500ms" },
  process: {
    command: ["node", file("./web.server.mjs")],
    env: { TEXT: "{config.text}" },
    ready: {
      type: "output",
      pattern: "listening on (?<url>http://[^:]+:(?<port>[0-9]+))",
      acquire: {
        kind: "TcpPort",
        id: "{node}-{port}",
        attributes: { port: "{port}", url: "{url}" },
      },
    },
    stopSignal: "SIGTERM",
  },
});
