import type { CompiledInvariant } from "./compiled.ts";
import type { RuleHost } from "./host.ts";
import { reasonOf } from "./plain.ts";
import { ruleGraph } from "./rule-graph.ts";

/** What the check of an invariant has come to; `failed`: its code threw, so nobody knows. */
export type InvariantCheck =
  | { readonly type: "holds" }
  | { readonly type: "broken"; readonly reason: string }
  | { readonly type: "failed"; readonly reason: string };

const reasonMax = 4_000;

/** Asks the invariant whether it holds of the graph as it is. */
export function checkInvariant(
  { id, code, invariant }: CompiledInvariant,
  host: RuleHost,
): InvariantCheck {
  host.running(code);
  try {
    const { now, transaction } = host;
    const answer: unknown = invariant.holds({ graph: ruleGraph(transaction.view), now });
    if (answer === true) return { type: "holds" };
    if (typeof answer !== "string")
      throw new TypeError(
        `holds gave ${nameOf(answer)}; it gives true, or a text that says why it does not hold`,
      );
    const reason = answer === "" ? "it does not say why" : answer;
    return { type: "broken", reason: reason.slice(0, reasonMax) };
  } catch (error) {
    const where = host.threw?.(id, error) ?? null;
    return { type: "failed", reason: reasonOf(error, where).slice(0, reasonMax) };
  } finally {
    host.running(null);
  }
}

function nameOf(answer: unknown): string {
  if (typeof answer !== "object" || answer === null) return String(answer);
  return "then" in answer ? "a promise" : "an object";
}
