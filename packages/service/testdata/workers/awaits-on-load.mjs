import { defineService, z } from "@halon/service";

const greeting = await new Promise((resolve) => setImmediate(() => resolve("awaited")));

export default defineService({
  name: "good",
  version: "1.0.0",
  config: z.object({}),
  start: () => ({ status: () => ({ greeting }) }),
});
