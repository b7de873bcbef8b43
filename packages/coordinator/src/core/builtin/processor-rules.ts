import { events } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import type { Context } from "./context.ts";

/** Rules on what nodes tell of their processors, which run rule files beside their own events (rfc/0010). */
export const processorRules: Readonly<Record<string, Rule>> = {
  "processor-changed": on(events.ProcessorChanged).do((context) => {
    // It is told once, and may come before the node has joined.
    const { node, files } = context.event;
    context.update.put("Processor", node, { node, files: [...files] });
    const out = files.filter(({ state }) => state === "quarantined").map(({ file }) => file);
    const quarantined = out.length === 0 ? "" : `, of which in quarantine: ${out.join(", ")}`;
    context.why(`${node} has ${files.length} rule files${quarantined}`);
  }),

  "processor-restarted": on(events.ProcessorRestarted).do(({ event, why }) => {
    const of = event.file === undefined ? "" : ` of ${event.file}`;
    const more = event.events === undefined ? "" : `, and ${event.events} events`;
    why(`${event.lost} windows${of} on ${event.node} are lost${more}: ${event.reason}`);
  }),

  "processor-file-failed": on(events.ProcessorFileFailed).do(({ event, why }) => {
    why(`${event.file} is in quarantine on ${event.node}: ${event.reason}`);
  }),
};

/** Removes what the graph holds of the node's processor. */
export function removeProcessor({ graph, update }: Context, node: string): void {
  if (graph.get("Processor", node) !== undefined) update.remove("Processor", node);
}
