import { defineEvent, defineRules, on, z } from "@halon/rules";

/** What the clients send; `n` counts from 1 without a gap for each client. */
export const Mark = defineEvent({
  type: "Mark",
  schema: z.object({ client: z.number().int(), n: z.number().int() }),
});

interface Tally {
  readonly count: number;
  readonly sum: number;
  readonly remembered: number;
  readonly misplaced: number;
}

const none: Tally = { count: 0, sum: 0, remembered: 0, misplaced: 0 };

export default defineRules({
  /** Counts twice, in the graph and in its memory, so that a lost or doubled effect shows in either. */
  tally: on(Mark).do(({ event, graph, memory, update }) => {
    const id = `client-${event.client}`;
    const before = (graph.get("MarkTally", id)?.attributes ?? none) as unknown as Tally;
    const remembered = Number(memory.get(id) ?? 0) + 1;
    memory.set(id, remembered);
    update.put("MarkTally", id, {
      count: before.count + 1,
      sum: before.sum + event.n,
      remembered,
      misplaced: before.misplaced + (event.n === before.count + 1 ? 0 : 1),
    });
  }),
});
