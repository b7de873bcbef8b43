import { relationTable, toJSON } from "@halon/graph";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** Looks at the whole graph cost; so many seconds apart. */
const everySeconds = 5;

/** C8: the graph keeps the cardinalities of rfc/0002, no edge is without its ends, and a service name has one instance. */
export function graphWhole(): ClusterInvariant {
  let seconds = 0;
  return {
    id: "C8",
    name: "the graph is whole",
    everySecond(scene) {
      seconds += 1;
      if (seconds % everySeconds === 0) look(scene);
    },
    atEnd: look,
  };
}

function look({ committed }: Scene): void {
  const { relations, resources } = toJSON(committed.graph);
  const known = new Set(resources.map(({ kind, id }) => `${kind}/${id}`));
  const seen = new Set<string>();
  for (const { from, name, to } of relations) {
    for (const end of [from, to])
      if (!known.has(end)) violated("C8", `${from} ${name} ${to}: there is no ${end}`);
    const cardinality = cardinalityOf(name, from, to);
    if (cardinality === undefined) violated("C8", `${from} ${name} ${to} is no relation`);
    const [near = "", far = ""] = (cardinality ?? "").split(":");
    // `1:n` reads: the far end has at most one near end.
    if (near === "1") once(seen, `${kindOf(from)} ${name} > ${to}`);
    if (far === "1") once(seen, `${from} > ${name} ${kindOf(to)}`);
  }
}

function once(seen: Set<string>, end: string): void {
  if (seen.has(end)) violated("C8", `more than one relation of ${end}`);
  seen.add(end);
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
