import { type Decision, events, type GraphView, type Json } from "@halon/protocol";
import type { CompiledInvariant, InvariantCheck, RuleIndex } from "@halon/rules";

const all: string = events.InvariantsDue.type;

/** The invariants that are checked at the end of a record: those that look at a kind of which it changed a resource. */
export function dueInvariants(
  { invariants }: Pick<RuleIndex, "invariants">,
  decisions: readonly Decision[],
): readonly CompiledInvariant[] {
  if (invariants.length === 0 || decisions.length === 0) return [];
  if (decisions.some(({ event }) => event.type === all)) return invariants;
  const changed = kindsChanged(decisions);
  return invariants.filter(({ invariant }) => invariant.reads.some((kind) => changed.has(kind)));
}

/** A relation that came or went changed both of its ends. */
function kindsChanged(decisions: readonly Decision[]): ReadonlySet<string> {
  const kinds = new Set<string>();
  for (const { firings } of decisions)
    for (const { changes } of firings)
      for (const change of changes) {
        const keys = "key" in change ? [change.key] : [change.relation.from, change.relation.to];
        for (const key of keys) kinds.add(key.slice(0, key.indexOf("/")));
      }
  return kinds;
}

/** The event that tells what a check has come to; null when that is known. */
export function toldOf(
  graph: GraphView,
  invariant: string,
  check: InvariantCheck,
): { readonly type: string; readonly data: Json } | null {
  const isBroken = graph.get("Invariant", invariant)?.attributes.state === "broken";
  switch (check.type) {
    case "holds":
      return isBroken ? { type: events.InvariantHolds.type, data: { invariant } } : null;
    case "broken": {
      const { reason } = check;
      return isBroken ? null : { type: events.InvariantBroken.type, data: { invariant, reason } };
    }
    case "failed": {
      const { reason } = check;
      return { type: events.RuleFailed.type, data: { rule: invariant, event: "", reason } };
    }
  }
}
