import { type GraphJson, relationTable, toJSON } from "@halon/graph";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** Looks at the whole graph cost; so many seconds apart. */
const everySeconds = 5;

/** C8: the graph keeps the cardinalities of rfc/0002, no edge is without its ends, and a service name has one instance. */
export function graphWhole(): ClusterInvariant {
  let seconds = 0;
  let revision = -1;
  return {
    id: "C8",
    name: "the graph is whole",
    everySecond(scene) {
      seconds += 1;
      if (seconds % everySeconds !== 0 || scene.committed.graph.revision === revision) return;
      ({ revision } = scene.committed.graph);
      look(scene);
    },
    atEnd: look,
  };
}

function look({ committed }: Scene): void {
  const flaw = flawOf(toJSON(committed.graph));
  if (flaw !== null) violated("C8", flaw);
}

/** What is wrong with a graph, or null. */
export function flawOf({
  relations,
  resources,
}: Pick<GraphJson, "relations" | "resources">): string | null {
  const known = new Set(resources.map(({ kind, id }) => `${kind}/${id}`));
  const seen = new Set<string>();
  for (const { from, name, to } of relations) {
    const relation = `${from} ${name} ${to}`;
    for (const end of [from, to]) if (!known.has(end)) return `${relation}: there is no ${end}`;
    const cardinality = cardinalityOf(name, from, to);
    if (cardinality === undefined) return `${relation} is no relation`;
    const [near, far] = cardinality.split(":");
    // `1:n` reads: the far end has at most one near end.
    const ends = [
      ...(near === "1" ? [`${kindOf(from)} ${name} > ${to}`] : []),
      ...(far === "1" ? [`${from} > ${name} ${kindOf(to)}`] : []),
    ];
    for (const end of ends) {
      if (seen.has(end)) return `more than one relation ${end}`;
      seen.add(end);
    }
  }
  return null;
}

const byEnds = new Map(
  relationTable.map(({ name, from, to, cardinality }) => [`${from} ${name} ${to}`, cardinality]),
);

function cardinalityOf(name: string, from: string, to: string): string | undefined {
  const known = byEnds.get(`${kindOf(from)} ${name} ${kindOf(to)}`);
  return known ?? byEnds.get(`${kindOf(from)} ${name} user-defined`);
}

function kindOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}
