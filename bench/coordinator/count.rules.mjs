// One simple rule: it counts in its memory what each source has said.
import { defineEvent, defineRules, on, z } from "@halon/rules";

export const Said = defineEvent({
  type: "Said",
  schema: z.object({ source: z.number(), text: z.string() }),
});

export default defineRules({
  count: on(Said).do(({ event, memory, why }) => {
    const key = `said-${event.source}`;
    const count = Number(memory.get(key) ?? 0) + 1;
    memory.set(key, count);
    why(`source ${event.source} has said ${count} things`);
  }),
});
