import { type GraphView, slotId } from "@halon/protocol";
import { type Condition, conditionsOn, runs } from "./conditions.ts";

/** What a start of a service on one node would do now, and on what that rests. */
export interface DryRun {
  readonly service: string;
  readonly node: string;
  readonly conditions: readonly Condition[];
  readonly would: "start" | "nothing, it runs already" | "wait" | "refuse";
}

/**
 * What a start of the service would do, on one node or on each that is known; nothing is changed.
 *
 * Empty when no cluster file names the service.
 */
export function dryRun(
  graph: GraphView,
  service: string,
  on: string | undefined,
): readonly DryRun[] {
  const deployment = graph.get("Deployment", service);
  if (deployment === undefined) return [];
  const nodes = on === undefined ? graph.list("Node").map(({ id }) => id) : [on];
  return nodes.map((node) => {
    const conditions = conditionsOn({ graph, deployment, node });
    return { service, node, conditions, would: outcome(graph, slotId(service, node), conditions) };
  });
}

function outcome(
  graph: GraphView,
  slot: string,
  conditions: readonly Condition[],
): DryRun["would"] {
  if (runs(graph, slot)) return "nothing, it runs already";
  const failing = conditions.filter(({ holds }) => !holds);
  if (failing.some(({ isHard }) => isHard)) return "refuse";
  return failing.length > 0 ? "wait" : "start";
}
