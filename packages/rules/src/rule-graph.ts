import type { GraphView, ResourceKey } from "@halon/protocol";
import type { RuleGraph } from "./rule.ts";

/** One for each view: rules are asked for each event, and a graph has one view for long. */
const ruleGraphs = new WeakMap<GraphView, RuleGraph>();

/** Adds the questions of RuleGraph to a view. All rules share it, so it is frozen. */
export function ruleGraph(view: GraphView): RuleGraph {
  const known = ruleGraphs.get(view);
  if (known !== undefined) return known;
  const graph = Object.freeze(makeRuleGraph(view));
  ruleGraphs.set(view, graph);
  return graph;
}

function makeRuleGraph(view: GraphView): RuleGraph {
  return {
    get revision() {
      return view.revision;
    },
    get: (kind, id) => view.get(kind, id),
    list: (kind, where) => view.list(kind, where),
    out: (from, name, kind) => view.out(from, name, kind),
    in: (to, name, kind) => view.in(to, name, kind),
    related: (from, name, to) => view.related(from, name, to),
    relations: (key) => view.relations(key),
    wants: (instance) => {
      const key: ResourceKey = `ServiceInstance/${instance}`;
      const slot = view.out(key, "holds", "ServiceName")[0];
      if (
        slot === undefined ||
        slot.attributes.halted === true ||
        slot.attributes.broken !== undefined
      )
        return false;
      return view.out(`ServiceName/${slot.id}`, "wants", "Service").length > 0;
    },
  };
}
