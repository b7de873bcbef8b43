import { defineEvent, defineRules, on, z } from "@halon/rules";

/** What is submitted when a leader was killed: the first that is acknowledged ends the outage. */
export const Said = defineEvent({ type: "Said", schema: z.object({ kill: z.number().int() }) });

export default defineRules({
  remember: on(Said).do(({ event, memory }) => void memory.set("kill", event.kill)),
});
