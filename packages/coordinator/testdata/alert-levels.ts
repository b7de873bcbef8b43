import { compareText, type GraphView } from "@halon/protocol";

/** Alerts of the built-in rules that have to stand, as the rest of the graph is; and those that stand. */
export function alertLevels(graph: GraphView): {
  readonly wanted: readonly string[];
  readonly standing: readonly string[];
} {
  const all = graph.list("Alert").map(({ id }) => id);
  const standing = all.filter((id) => id.startsWith("builtin/"));
  // That a configuration was taken back is told as a notice of its slot, beside others.
  const reverted = standing.filter((id) => {
    const [, kind, slot = ""] = id.split("/");
    const notice = graph.get("ServiceName", slot)?.attributes.notice;
    return kind === "configuration-reverted" && notice !== undefined;
  });
  const wanted = [
    ...(graph.list("Cluster")[0]?.attributes.breaker === undefined ? [] : ["builtin/breaker"]),
    ...graph
      .list("Node")
      .filter(({ attributes }) => attributes.recovery?.state === "givenUp")
      .map(({ id }) => `builtin/node-given-up/${id}`),
    ...graph
      .list("ServiceName")
      .filter(({ attributes }) => attributes.broken !== undefined)
      .map(({ id }) => `builtin/service-broken/${id}`),
    ...graph
      .list("RuleFile")
      .filter(({ attributes }) => attributes.quarantined !== undefined)
      .map(({ id }) => `builtin/rule-file-quarantined/${id}`),
    ...reverted,
  ];
  return { wanted: wanted.sort(compareText), standing: [...standing].sort(compareText) };
}
