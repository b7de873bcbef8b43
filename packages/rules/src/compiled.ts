import type { Heard, StatechartRule } from "./job/statechart.ts";
import type { Part } from "./pattern/patterns.ts";
import type { Rule, Rules, StepRule } from "./rule.ts";

/** A rule of a file that is in force. */
export interface CompiledRule<R extends Rule = Rule> {
  /** `<file>/<rule>`. */
  readonly id: string;
  readonly file: string;
  /** Of the file: its blob. */
  readonly version: string;
  /** An earlier version of the file: it is there for its jobs alone. */
  readonly isKept: boolean;
  /** What is told to run when its code does: the file, or `file@blob` of a kept version. */
  readonly code: string;
  readonly rule: R;
}

/**
 * A single-step rule as one type of event concerns it.
 *
 * What each event needs stands here itself: with many rules, each step from one object to the next is a miss of the cache.
 */
export interface StepConcern {
  readonly type: "step";
  readonly compiled: CompiledRule<StepRule>;
  readonly code: string;
  readonly conditions: StepRule["conditions"];
  /** Parts of its pattern that the event may be, the last first; empty: it is on single events. */
  readonly parts: readonly ConcernedPart[];
}

export interface ConcernedPart {
  readonly part: number;
  readonly contribute: Part["contribute"];
}

/** The jobs of a statechart rule as one type of event concerns them. */
export interface JobsConcern {
  readonly type: "jobs";
  readonly compiled: CompiledRule<StatechartRule>;
  readonly code: string;
  readonly heard: Heard;
}

/** A rule as one type of event concerns it. */
export type Concern = StepConcern | JobsConcern;

/** The rules in force: by type of event, in the order in which they act, and by name. */
export interface RuleIndex {
  readonly byEvent: ReadonlyMap<string, readonly Concern[]>;
  /** Of the versions in force. */
  readonly byId: ReadonlyMap<string, CompiledRule>;
  /** All versions of each statechart rule. */
  readonly charts: ReadonlyMap<string, readonly CompiledRule<StatechartRule>[]>;
}

/** A rule file in memory. */
export interface LoadedFile {
  readonly name: string;
  /** Its blob; without one all files are taken to be of one version. */
  readonly version?: string;
  readonly isKept?: boolean;
  readonly rules: Rules;
}

/** Indexes rule files. Files act in the order given, and their rules in the order they stand in. */
export function indexRules(files: readonly LoadedFile[]): RuleIndex {
  const byEvent = new Map<string, Concern[]>();
  const byId = new Map<string, CompiledRule>();
  const charts = new Map<string, CompiledRule<StatechartRule>[]>();
  for (const { name, rules, version = "", isKept = false } of files) {
    for (const [ruleName, rule] of Object.entries(rules.rules)) {
      if (isKept && rule.kind === "step") continue;
      const id = `${name}/${ruleName}`;
      const code = isKept ? keptCode(name, version) : name;
      const about = { id, file: name, version, isKept, code };
      if (!isKept) byId.set(id, { ...about, rule });
      if (rule.kind === "statechart") listed(charts, id).push({ ...about, rule });
      for (const [type, concern] of concernsOf(about, rule)) listed(byEvent, type).push(concern);
    }
  }
  return { byEvent, byId, charts };
}

function listed<T>(lists: Map<string, T[]>, key: string): T[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const list: T[] = [];
  lists.set(key, list);
  return list;
}

/** The name of a kept version where its code is told to run. */
export function keptCode(file: string, version: string): string {
  return `${file}@${version.slice(0, 8)}`;
}

/** The statechart rule in the version in which new jobs begin. */
export function newestChart(
  { charts }: RuleIndex,
  id: string,
): CompiledRule<StatechartRule> | undefined {
  return charts.get(id)?.find(({ isKept }) => !isKept);
}

function concernsOf(
  about: Omit<CompiledRule, "rule">,
  rule: Rule,
): readonly (readonly [type: string, concern: Concern])[] {
  const { code } = about;
  if (rule.kind === "statechart") {
    const compiled = { ...about, rule };
    return rule.hears.map((heard) => [heard.event.type, { type: "jobs", compiled, code, heard }]);
  }
  const compiled = { ...about, rule };
  const { conditions } = rule;
  return [...partsOf(rule)].map(([type, parts]) => [
    type,
    { type: "step", compiled, code, conditions, parts },
  ]);
}

function partsOf({ event, pattern }: StepRule): ReadonlyMap<string, readonly ConcernedPart[]> {
  if (pattern === undefined) return new Map([[event.type, []]]);
  const byType = new Map<string, readonly ConcernedPart[]>();
  // The last part first: an event that is two parts in turn must not follow itself.
  pattern.parts.forEach(({ event: { type }, contribute }, part) => {
    byType.set(type, [{ part, contribute }, ...(byType.get(type) ?? [])]);
  });
  return byType;
}
