import { defineService, z } from "@halon/service";

export default defineService({
  name: "good",
  version: "1.0.0",
  config: z.object({}),
  start: () => new Promise(() => undefined),
});
