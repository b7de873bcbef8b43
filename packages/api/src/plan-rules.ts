import {
  type AttributesOf,
  type ClusterSpec,
  canonicalJson,
  type GraphView,
  type PatternDescription,
} from "@halon/protocol";
import type { PlanEntry } from "./plan.ts";

type RuleFile = Pick<ClusterSpec["rules"][number], "rules" | "patterns">;

/** A rule of a file that comes, changes or goes. */
export interface PlannedRule {
  readonly action: "add" | "keep" | "remove";
  readonly rule: string;
  /** The pattern over time that it is on. */
  readonly pattern?: string;
}

/** What becomes of rule files, each with its rules. */
export function ruleFileEntries(graph: GraphView, spec: ClusterSpec): readonly PlanEntry[] {
  return [...spec.rules.flatMap((file) => rulesEntry(graph, file)), ...rulesRemoved(graph, spec)];
}

function rulesEntry(graph: GraphView, file: ClusterSpec["rules"][number]): readonly PlanEntry[] {
  const known = graph.get("RuleFile", file.name)?.attributes;
  const entry = { what: "rule file", name: file.name } as const;
  if (known === undefined || known.retired === true) {
    const events = file.events.map(({ type }) => type).join(", ");
    const detail = `rules ${file.rules.join(", ")}${events === "" ? "" : `; events ${events}`}`;
    return [{ ...entry, action: "add", detail, rules: rulesOf(undefined, file) }];
  }
  const hasOtherOptions =
    canonicalJson(known.options ?? null) !== canonicalJson(file.options ?? null);
  if (known.blob === file.blob && !hasOtherOptions) return [];
  const rules = rulesOf(known, file);
  const differences = [
    ...(known.blob === file.blob ? [] : ["other code"]),
    ...(hasOtherOptions ? ["other options"] : []),
    ...rules.flatMap(({ action, rule }) => (action === "add" ? [`with rule ${rule}`] : [])),
    ...rules.flatMap(({ action, rule }) => (action === "remove" ? [`without rule ${rule}`] : [])),
    ...stateOf(known),
  ];
  return [{ ...entry, action: "change", detail: differences.join(", "), differences, rules }];
}

function stateOf({ disabled, quarantined }: AttributesOf<"RuleFile">): readonly string[] {
  if (disabled !== undefined) return ["stays disabled"];
  return quarantined === undefined ? [] : ["its quarantine ends with other code"];
}

function rulesRemoved(graph: GraphView, spec: ClusterSpec): readonly PlanEntry[] {
  if (!spec.prune) return [];
  const wanted = new Set(spec.rules.map(({ name }) => name));
  return graph
    .list("RuleFile")
    .filter(({ id, attributes }) => !wanted.has(id) && attributes.retired !== true)
    .map(({ id, attributes }) => ({
      action: "remove",
      what: "rule file",
      name: id,
      detail: "the cluster file does not name it",
      rules: rulesOf(attributes, undefined),
    }));
}

function rulesOf(
  before: RuleFile | undefined,
  after: RuleFile | undefined,
): readonly PlannedRule[] {
  const had = new Set(before?.rules);
  const has = new Set(after?.rules);
  const planned = (action: PlannedRule["action"], rule: string, file: RuleFile | undefined) => {
    const pattern = file?.patterns?.[rule];
    return { action, rule, ...(pattern === undefined ? {} : { pattern: patternText(pattern) }) };
  };
  return [
    ...[...has].map((rule) => planned(had.has(rule) ? "keep" : "add", rule, after)),
    ...[...had].filter((rule) => !has.has(rule)).map((rule) => planned("remove", rule, before)),
  ];
}

/** In the words of the one who wrote it. */
function patternText(pattern: PatternDescription): string {
  switch (pattern.type) {
    case "count":
      return `count, at least ${pattern.atLeast} within ${timeText(pattern.withinMs)}`;
    case "sequence":
    case "all":
      return `${pattern.type} of ${pattern.parts} within ${timeText(pattern.withinMs)}`;
    case "absence":
    case "sliding":
    case "join":
      return `${pattern.type} within ${timeText(pattern.withinMs)}`;
    case "tumbling":
    case "throttle":
      return `${pattern.type} every ${timeText(pattern.everyMs)}`;
    case "session":
      return `session, gap ${timeText(pattern.gapMs)}`;
    case "debounce":
      return `debounce, quiet for ${timeText(pattern.quietMs)}`;
  }
}

const units = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

function timeText(ms: number): string {
  for (const [unit, size] of units) if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  return `${ms}ms`;
}
