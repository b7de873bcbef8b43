/** Texts of service files that several suites apply. */

/** An OS process that is ready when `echo.mjs` beside it listens; `options` stands among the options of the type. */
export function processService(name: string, options = ""): string {
  return `import { defineService, file, z } from "@halon/service";
export default defineService({
  name: "${name}",
  version: "1.0.0",
  config: z.object({}),
  restart: { resetAfter: "500ms" },
  ${options}
  process: {
    command: ["node", file("./echo.mjs")],
    ready: { type: "output", pattern: "listening on [0-9]+" },
  },
});
`;
}

/** A server on a port of its own choice. */
export const echoServer = `import { createServer } from "node:http";
const server = createServer((_request, response) => response.end("echo\\n"));
server.listen(0, "127.0.0.1", () => console.log("listening on " + server.address().port));
process.on("SIGTERM", () => process.exit(0));
`;

/** A worker service; \`body\` stands before what \`start\` does, \`options\` among the options of the type. */
export function workerService(
  name: string,
  parts: { readonly top?: string; readonly start?: string; readonly options?: string } = {},
): string {
  const { top = "", start = "", options = "" } = parts;
  return `import { defineService, z } from "@halon/service";
${top}
export default defineService({
  name: "${name}",
  version: "1.0.0",
  config: z.object({ size: z.number().int().min(1).default(1) }),
  stopTimeout: "500ms",
  ${options}
  async start(context) {
    ${start}
  },
});
`;
}

/** A cluster file of these service files. */
export function clusterOf(...names: readonly string[]): string {
  const services = names.map((name) => `{ type: "./${name}.service.ts" }`);
  return `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [${services.join(", ")}] });
`;
}
