import { defineService, z } from "@halon/service";

export default defineService({
  name: "good",
  version: "1.0.0",
  config: z.object({ greeting: z.string().default("pong") }),
  resources: { Ticket: z.object({ number: z.number() }) },
  start(context) {
    let { greeting } = context.config;
    context.log(`started ${context.instance}`);
    context.acquire("Ticket", "t-1", { number: 1 });
    let refused = "";
    try {
      context.acquire("Elephant", "e-1");
    } catch (error) {
      refused = error.code;
    }
    return {
      check: () => ({ health: "ok" }),
      status: () => ({
        greeting,
        refused,
        secrets: Object.keys(process.env).filter((name) => name.startsWith("HALON_")),
      }),
      reconfigure: (config) => {
        greeting = config.greeting;
      },
      messages: {
        ping: (name) => `${greeting}, ${name}`,
        fail: (reason) => context.fail(reason),
        spin: () => {
          for (;;);
        },
        exit: () => process.exit(7),
        reject: () => void Promise.reject(new Error("nobody caught me")),
        eat: () => {
          const eaten = [];
          // Bite by bite, so that it is not a hang on a slow machine.
          const bite = () => {
            eaten.push(new Array(100_000).fill(eaten.length));
            setImmediate(bite);
          };
          bite();
        },
        buffers: () => {
          const kept = [];
          setInterval(() => kept.push(Buffer.alloc(8_000_000, 1)), 20);
        },
        flood: () => {
          const line = "\u001b[31mflood\u001b[0m ".repeat(5_000);
          setInterval(() => process.stdout.write(`${line}\n`), 1);
        },
        release: () => context.release("Ticket", "t-1"),
      },
      stop: () => context.log("stopping"),
    };
  },
});
