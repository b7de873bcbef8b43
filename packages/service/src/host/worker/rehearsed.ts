// By its package's name and with a module of Node, as service files have them: to resolve these takes time, too.
import { hostname } from "node:os";
import { defineService, z } from "@halon/service";

/** A service that does nothing, written as all are. */
// biome-ignore lint/style/noDefaultExport: a service file has one
export default defineService({
  name: "rehearsed",
  version: "1.0.0",
  config: z.object({
    text: z.string().default(""),
    number: z.number().int().min(0).default(0),
    flag: z.boolean().optional(),
    list: z.array(z.string()).default([]),
    choice: z.enum(["one", "other"]).default("one"),
    rest: z.record(z.string(), z.string()).default({}),
  }),
  restart: { resetAfter: "1s" },
  messages: { hello: z.tuple([z.string()]) },
  start: (context) => {
    const { text } = context.config;
    return {
      check: () => ({ health: "ok" }),
      status: () => ({ text, host: hostname() }),
      messages: { hello: (name) => `${name}, ${text}` },
      stop: async () => undefined,
    };
  },
});
