import { defineService, z } from "@halon/service";

export default defineService({
  name: "talker",
  version: "1.0.0",
  config: z.object({ text: z.string().default("hello") }),
  start(context) {
    let isAlive = true;
    let answered = null;
    return {
      check: () => ({ health: "ok" }),
      alive: () => isAlive,
      status: () => ({ answered, token: context.fencingToken ?? null }),
      messages: {
        exit: (reason) => context.exit(reason),
        fail: (reason, code) => context.fail(reason, code),
        async trouble(code, data) {
          answered = await context.trouble(code, "the disk is full", data);
        },
        async troubles(count) {
          const told = Array.from({ length: count }, (_, at) => context.trouble(`T${at}`, "many"));
          const first = await Promise.any(told.map((each) => each.then(Promise.reject, (e) => e)));
          return first.code;
        },
        async others(service) {
          const [{ instance, node }] = await context.lookup(service);
          return [node, await context.call(instance, "ping", [context.config.text])];
        },
        refused: (instance) =>
          context.call(instance, "ping").catch(({ code, message }) => [code, message]),
        publish: (type, n) =>
          context.publish(type, { n }).then(
            () => "published",
            ({ code }) => code,
          ),
        die: () => {
          isAlive = false;
        },
      },
    };
  },
});
