import { defineService, z } from "@halon/service";

/** A worker service: it runs in a thread of `halond` and answers Check, Status and a message. */
export default defineService({
  name: "ping",
  version: "1.0.0",
  config: z.object({ greeting: z.string().default("pong") }),
  restart: { resetAfter: "500ms" },
  start(context) {
    let { greeting } = context.config;
    let answered = 0;
    context.log(`ping starts on ${context.node}`);
    return {
      check: () => ({ health: "ok" }),
      status: () => ({ greeting, answered }),
      reconfigure: (config) => {
        greeting = config.greeting;
      },
      messages: {
        ping: (name: string) => {
          answered += 1;
          return `${greeting}, ${name}`;
        },
        /** Breaks the service from inside, to watch it come back. */
        crash: () => {
          setTimeout(() => {
            throw new Error("asked to crash");
          }, 0);
        },
      },
    };
  },
});
