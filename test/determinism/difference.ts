import { canonicalJson, type Decision, type DecisionRecord, type Firing } from "@halon/protocol";

/** Where two logs part, and the rule that decided differently there; null when no rule did. */
export interface Difference {
  readonly index: number;
  readonly event: string | null;
  readonly rule: string | null;
  readonly what: string;
}

/** The first record, decision, firing and rule in which two logs differ; undefined when they are equal. */
export function firstDifference(
  a: readonly string[],
  b: readonly string[],
): Difference | undefined {
  const at = a.findIndex((text, position) => text !== b[position]);
  if (at === -1 && a.length === b.length) return undefined;
  const [left, right] = [parsed(a[at]), parsed(b[at])];
  if (left === undefined || right === undefined) {
    const what = `one log has ${a.length} records, the other ${b.length}`;
    return { index: Math.min(a.length, b.length) + 1, event: null, rule: null, what };
  }
  const position = left.decisions.findIndex(
    (each, other) => !isEqual(each, right.decisions[other]),
  );
  const [mine, theirs] = [left.decisions[position], right.decisions[position]];
  if (mine === undefined || theirs === undefined)
    return { index: left.index, event: null, rule: null, what: "the record itself differs" };
  return { index: left.index, event: mine.event.type, ...inDecision(mine, theirs) };
}

function inDecision(a: Decision, b: Decision): { rule: string | null; what: string } {
  if (!isEqual(a.event, b.event)) return { rule: null, what: "the event itself differs" };
  const length = Math.max(a.firings.length, b.firings.length);
  for (let position = 0; position < length; position += 1) {
    const [mine, theirs] = [a.firings[position], b.firings[position]];
    if (isEqual(mine, theirs)) continue;
    if (mine?.rule === theirs?.rule) return inFiring(mine, theirs);
    const isExtra = !b.firings.some((firing) => firing.rule === mine?.rule);
    const rule = (isExtra ? mine?.rule : theirs?.rule) ?? mine?.rule ?? null;
    return { rule, what: "it fired in one run only" };
  }
  return { rule: null, what: "the decision differs, and no firing of it" };
}

function inFiring(
  a: Firing | undefined,
  b: Firing | undefined,
): { rule: string | null; what: string } {
  const names = Object.keys(a ?? {}) as (keyof Firing)[];
  const differing = names.filter((name) => !isEqual(a?.[name], b?.[name]));
  return { rule: a?.rule ?? null, what: `its ${differing.join(" and ")} differ` };
}

function isEqual(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}

function parsed(text: string | undefined): DecisionRecord | undefined {
  return text === undefined ? undefined : JSON.parse(text);
}
