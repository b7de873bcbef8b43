import { defineService, z } from "@halon/service";

export default defineService({
  name: "good",
  version: "1.0.0",
  config: z.object({ how: z.string() }),
  start: ({ config }) => ({
    check() {
      if (config.how === "throw") throw new Error("disk is gone");
      if (config.how === "warn") return { health: "warn", detail: "disk is slow" };
      return new Promise(() => undefined);
    },
    // Ends never: its stop deadline has to.
    stop: () => new Promise(() => undefined),
  }),
});
