import { type Decision, events, type GraphView, type Json } from "@halon/protocol";
import type { CompiledInvariant, InvariantCheck, RuleIndex } from "@halon/rules";

import { isInForce } from "./rule-files.ts";

const all: string = events.InvariantsDue.type;

/**
 * The invariants that are checked at the end of a record: those that look at a kind of which it changed a resource.
 *
 * Those whose file it took away, or out of force, are not asked any more, although their code is still there.
 */
export function dueInvariants(
  { invariants }: Pick<RuleIndex, "invariants">,
  graph: GraphView,
  decisions: readonly Decision[],
): readonly CompiledInvariant[] {
  if (invariants.length === 0 || decisions.length === 0) return [];
  const changed = kindsChanged(decisions);
  const there = changed.has("RuleFile")
    ? invariants.filter((each) => isDeclared(graph, each))
    : invariants;
  if (decisions.some(({ event }) => event.type === all)) return there;
  return there.filter(({ invariant }) => invariant.reads.some((kind) => changed.has(kind)));
}

function isDeclared(graph: GraphView, { file, invariant }: CompiledInvariant): boolean {
  const known = graph.get("RuleFile", file)?.attributes;
  return (
    known !== undefined && isInForce(known) && known.invariants?.includes(invariant.name) === true
  );
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
