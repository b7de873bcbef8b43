import { compareText, type EventType } from "@halon/protocol";
import type { Invariant } from "./invariant.ts";
import type { Heard, StatechartRule } from "./job/statechart.ts";
import type { Part } from "./pattern/patterns.ts";
import type { Rule, Rules, StepRule } from "./rule.ts";

/** The file of the rules that are Halon's own. */
const builtIn = "builtin";

/** A rule of a file that is in force. */
export interface CompiledRule<R extends Rule = Rule> {
  /** `<file>/<rule>`. */
  readonly id: string;
  readonly file: string;
  /** Of the file: its blob, with options `blob#edition`. */
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
  readonly reads: EventType;
  /** Of the event that it reads; others are lifted to it. */
  readonly version: number;
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
  readonly reads: EventType;
  readonly version: number;
  readonly heard: Heard;
}

/** A rule as one type of event concerns it. */
export type Concern = StepConcern | JobsConcern;

/** An invariant of a file that is in force. */
export interface CompiledInvariant {
  /** `<file>/<invariant>`. */
  readonly id: string;
  readonly file: string;
  readonly code: string;
  readonly invariant: Invariant;
}

/** The rules in force: by type of event, in the order in which they act, and by name. */
export interface RuleIndex {
  readonly byEvent: ReadonlyMap<string, readonly Concern[]>;
  /** Of the versions in force. */
  readonly byId: ReadonlyMap<string, CompiledRule>;
  /** All versions of each statechart rule. */
  readonly charts: ReadonlyMap<string, readonly CompiledRule<StatechartRule>[]>;
  readonly invariants: readonly CompiledInvariant[];
}

/** A rule file in memory. */
export interface LoadedFile {
  readonly name: string;
  /** Its blob, with options `blob#edition`; without one all files are taken to be of one version. */
  readonly version?: string;
  readonly isKept?: boolean;
  readonly rules: Rules;
}

/**
 * Indexes rule files.
 *
 * The built-in rules act first, then those of a higher priority, then by the name of the file and the place in it.
 */
export function indexRules(files: readonly LoadedFile[]): RuleIndex {
  const byEvent = new Map<string, Concern[]>();
  const byId = new Map<string, CompiledRule>();
  const charts = new Map<string, CompiledRule<StatechartRule>[]>();
  const invariants: CompiledInvariant[] = [];
  for (const { name, rules, version = "", isKept = false } of files) {
    for (const invariant of isKept ? [] : (rules.invariants ?? []))
      invariants.push({ id: `${name}/${invariant.name}`, file: name, code: name, invariant });
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
  for (const concerns of byEvent.values()) concerns.sort(compareConcerns);
  return { byEvent, byId, charts, invariants };
}

/** Equal ones keep their order: that of the file. */
function compareConcerns({ compiled: a }: Concern, { compiled: b }: Concern): number {
  const first = Number(b.file === builtIn) - Number(a.file === builtIn);
  if (first !== 0) return first;
  const urgent = (b.rule.priority ?? 0) - (a.rule.priority ?? 0);
  return urgent !== 0 ? urgent : compareText(a.file, b.file);
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
  const [blob = "", edition] = version.split("#");
  return `${file}@${blob.slice(0, 8)}${edition === undefined ? "" : `#${edition}`}`;
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
    return rule.hears.map((heard) => {
      const { event: reads } = heard;
      const { version } = reads;
      return [reads.type, { type: "jobs", compiled, code, reads, version, heard }];
    });
  }
  const compiled = { ...about, rule };
  const { conditions } = rule;
  return [...partsOf(rule)].map(([type, { reads, parts }]) => [
    type,
    { type: "step", compiled, code, reads, version: reads.version, conditions, parts },
  ]);
}

interface Read {
  readonly reads: EventType;
  readonly parts: readonly ConcernedPart[];
}

function partsOf({ event, pattern }: StepRule): ReadonlyMap<string, Read> {
  if (pattern === undefined) return new Map([[event.type, { reads: event, parts: [] }]]);
  const byType = new Map<string, Read>();
  // The last part first: an event that is two parts in turn must not follow itself.
  pattern.parts.forEach(({ event: reads, contribute }, part) => {
    const before = byType.get(reads.type)?.parts ?? [];
    byType.set(reads.type, { reads, parts: [{ part, contribute }, ...before] });
  });
  return byType;
}
