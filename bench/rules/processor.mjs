import { defineEvent } from "@halon/protocol";
import { count, defineRules, onNode } from "@halon/rules";
import { Processor } from "@halon/rules/processor";
import { z } from "zod";
import { atLeast, levelMin, withinMs } from "./workload.mjs";

const schema = z.strictObject({ node: z.string(), shard: z.number(), level: z.number() });

/** The engine of rule files that run on nodes, as its thread calls it; the events are checked where they come in. */
export class NodeProcessor {
  name = "Halon, on a node";
  fired = 0;
  #now = 0;
  #processor = new Processor({ running: () => undefined, locate: () => null });

  constructor({ rules }) {
    const all = rules.map((rule) =>
      ruleOf(rule, () => {
        this.fired += 1;
      }),
    );
    // Files of a size that people write.
    const files = Array.from({ length: Math.ceil(all.length / 10) }, (_, i) => ({
      name: `file${i}`,
      version: "1",
      rules: defineRules(
        Object.fromEntries(all.slice(10 * i, 10 * i + 10).map((rule, j) => [`rule${j}`, rule])),
        { runs: "node" },
      ),
    }));
    this.#processor.bring(files);
  }

  take(event) {
    this.#now += 1;
    if (this.#processor.due(this.#now, 1)) throw new Error("nothing is to be due here");
    this.#processor.take(event, this.#now);
  }
}

function ruleOf({ kind, type, shard, quarter }, fire) {
  const event = defineEvent({ type, version: 1, schema });
  if (kind === "single")
    return onNode(event)
      .where(({ event: { level, shard: own } }) => own === shard && level >= levelMin)
      .do(fire);
  const where = quarter === null ? {} : { where: (e) => e.shard % 4 === quarter };
  return onNode(count(event, { atLeast, within: withinMs, by: (e) => e.node, ...where })).do(fire);
}
