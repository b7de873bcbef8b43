import { defineService, z } from "@halon/service";

export default defineService({
  name: "good",
  version: "1.0.0",
  config: z.object({}),
  start: (context) => ({
    status: () => ({ token: context.fencingToken, lease: process.env.HALON_LEASE_MS }),
  }),
});
