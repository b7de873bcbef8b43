import { defineEvent, defineRules, events, on, z } from "@halon/rules";

/** A type of event of this file's own: `halonctl event emit GreetingChanged '{"greeting":"hi"}'`. */
export const GreetingChanged = defineEvent({
  type: "GreetingChanged",
  schema: z.object({ greeting: z.string().min(1).max(100) }),
});

export default defineRules({
  /** Says in the event list why a service came back; what brings it back is a built-in rule. */
  tellFailures: on(events.ServiceFailed)
    .where(({ event }) => event.service === "web")
    .do(({ event, memory, why }) => {
      const failures = Number(memory.get("web-failures") ?? 0) + 1;
      memory.set("web-failures", failures);
      why(`web has failed ${failures} times since this rule was applied, last on ${event.node}`);
    }),

  /** A new greeting makes every ping start again. */
  greet: on(GreetingChanged).do(({ event, command, why }) => {
    why(`the greeting is ${event.greeting} now`);
    command.restart("ping", { reason: "a new greeting" });
  }),
});
