import type { GraphView } from "./graph-view.ts";
import type { ClusterSpec, RuleFileManifest } from "./manifest.ts";

/** What of a rule file can contradict another one. */
export type RuleFileTypes = Pick<RuleFileManifest, "name" | "runs" | "hears"> & {
  readonly events: readonly { readonly type: string }[];
};

/** The rule files that a cluster has. */
export function knownRuleFilesIn(graph: GraphView): readonly RuleFileTypes[] {
  return graph.list("RuleFile").flatMap(({ id, attributes }) => {
    const { runs, hears, events, retired } = attributes;
    if (retired === true) return [];
    return [
      {
        name: id,
        events,
        ...(runs === undefined ? {} : { runs }),
        ...(hears === undefined ? {} : { hears }),
      },
    ];
  });
}

/**
 * Why the rule files of a cluster file cannot be in force together, in one sentence that names both; undefined when they can.
 *
 * A type of event is either that of processors, which take it where it comes in, or that of the decision log.
 */
export function ruleContradictionIn(
  { rules, prune }: Pick<ClusterSpec, "prune"> & { readonly rules: readonly RuleFileTypes[] },
  known: readonly RuleFileTypes[],
): string | undefined {
  const named = new Set(rules.map(({ name }) => name));
  const kept = prune ? [] : known.filter(({ name }) => !named.has(name));
  const all = [...kept, ...rules];
  const ofLog = new Map<string, string>();
  for (const file of all)
    for (const { type } of file.events)
      if (!processorTypes(file).includes(type)) ofLog.set(type, file.name);
  for (const file of all)
    for (const type of processorTypes(file)) {
      const other = ofLog.get(type);
      if (other === undefined) continue;
      return `rule file ${file.name} takes ${type} on each node, and rule file ${other} has it in the decision log; a type is the one or the other: give one of them another type`;
    }
  return undefined;
}

function processorTypes({ runs, hears = [] }: RuleFileTypes): readonly string[] {
  return runs === "node" ? hears : [];
}
