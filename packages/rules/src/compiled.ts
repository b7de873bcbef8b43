import type { Rule, Rules } from "./rule.ts";

/** A rule of a file that is in force. */
export interface CompiledRule {
  /** `<file>/<rule>`. */
  readonly id: string;
  readonly file: string;
  readonly rule: Rule;
}

/** A rule as one type of event concerns it. */
export interface Concern {
  readonly compiled: CompiledRule;
  /** Parts of its pattern that the event may be, the last first; empty: it is on single events. */
  readonly parts: readonly number[];
}

/** The rules in force: by type of event, in the order in which they act, and by name. */
export interface RuleIndex {
  readonly byEvent: ReadonlyMap<string, readonly Concern[]>;
  readonly byId: ReadonlyMap<string, CompiledRule>;
}

/** Indexes rule files. Files act in the order given, and their rules in the order they stand in. */
export function indexRules(
  files: readonly { readonly name: string; readonly rules: Rules }[],
): RuleIndex {
  const byEvent = new Map<string, Concern[]>();
  const byId = new Map<string, CompiledRule>();
  for (const { name, rules } of files) {
    for (const [ruleName, rule] of Object.entries(rules.rules)) {
      const compiled = { id: `${name}/${ruleName}`, file: name, rule };
      byId.set(compiled.id, compiled);
      for (const [type, parts] of concernsOf(rule))
        byEvent.set(type, [...(byEvent.get(type) ?? []), { compiled, parts }]);
    }
  }
  return { byEvent, byId };
}

function concernsOf({ event, pattern }: Rule): ReadonlyMap<string, readonly number[]> {
  if (pattern === undefined) return new Map([[event.type, []]]);
  const byType = new Map<string, readonly number[]>();
  // The last part first: an event that is two parts in turn must not follow itself.
  pattern.parts.forEach((part, number) => {
    byType.set(part.event.type, [number, ...(byType.get(part.event.type) ?? [])]);
  });
  return byType;
}
