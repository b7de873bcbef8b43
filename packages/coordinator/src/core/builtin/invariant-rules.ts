import { events } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { bounded, type Context } from "./context.ts";

/** Rules on what the checks of invariants have come to; the checks themselves are made at the end of a record. */
export const invariantRules: Readonly<Record<string, Rule>> = {
  "invariant-broken": on(events.InvariantBroken).do((context) => {
    const { invariant, reason } = context.event;
    const since = context.wallTime;
    context.update.put("Invariant", invariant, { state: "broken", since, reason: bounded(reason) });
    context.why(reason);
    // What rules do about it may break others, or mend it.
    checkInvariantsSoon(context);
  }),

  "invariant-holds": on(events.InvariantHolds).do((context) => {
    const { invariant } = context.event;
    context.update.put("Invariant", invariant, { state: "holds", since: context.wallTime });
    context.why(`${invariant} holds again`);
    checkInvariantsSoon(context);
  }),

  "invariants-due": on(events.InvariantsDue).do((context) => {
    context.why("all invariants are checked at the end of this record");
  }),
};

/** Has all invariants checked at the end of the next record. */
export function checkInvariantsSoon({ timer }: Context): void {
  timer.after("invariants", 0, events.InvariantsDue, {});
}

/** Forgets what is known of the invariants of a file, but for those that it still has. */
export function forgetInvariants(
  { graph, update }: Context,
  file: string,
  stay: readonly string[] = [],
): void {
  const ids = new Set(stay.map((name) => `${file}/${name}`));
  for (const { id } of graph.list("Invariant"))
    if (id.startsWith(`${file}/`) && !ids.has(id)) update.remove("Invariant", id);
}
