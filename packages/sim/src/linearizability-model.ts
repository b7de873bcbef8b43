import { canonicalJson } from "@halon/protocol";
import type { Assignment, Operation } from "./linearizability.ts";

/** A key and its value as numbers of a model. */
export interface Pair {
  readonly key: number;
  readonly value: number;
}

/** One operation, in the numbers of its model. */
export interface Step {
  readonly operation: Operation;
  readonly start: number;
  /** Infinity when the step is optional. */
  readonly end: number;
  /** An optional step may take place once or never: its outcome is unknown. */
  readonly isOptional: boolean;
  /** All of them hold just before the step; or not all of them, when it is refuted. */
  readonly needs: readonly Pair[];
  readonly isRefuted: boolean;
  /** What differs from `needs` afterwards; a step with none only looks. */
  readonly sets: readonly Pair[];
}

/** The operations of one group of connected keys. */
export interface Model {
  readonly keys: readonly string[];
  /** One value for each key, before all steps. */
  readonly initial: readonly number[];
  /** Values are 0 (absent) to `valueCount - 1`; the last one is `otherValue`. */
  readonly valueCount: number;
  readonly steps: readonly Step[];
}

/** The number of an absent key's value. */
export const absentValue = 0;

/** The number of a value that no operation names. */
export function otherValue(model: Model): number {
  return model.valueCount - 1;
}

interface Demand {
  readonly operation: Operation;
  readonly needs: readonly Assignment[];
  readonly sets: readonly Assignment[];
}

/** Splits a history into groups of keys that no operation connects, in order of their first operation. */
export function compile(history: readonly Operation[]): readonly Model[] {
  const demands = history.flatMap((operation) => demandOf(operation) ?? []);
  const groupOf = connect(demands);
  const groups = new Map<string, Demand[]>();
  for (const demand of demands) {
    const name = groupOf(firstKey(demand));
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [demand]);
    else group.push(demand);
  }
  return [...groups.values()].map(compileGroup);
}

/** Undefined for what says nothing: a read without an answer, a refusal, a lost answer to what sets nothing. */
function demandOf(operation: Operation): Demand | undefined {
  if (operation.outcome === "refused") return undefined;
  const isLost = operation.outcome === "unknown";
  switch (operation.type) {
    case "read":
      return operation.outcome === "ok" ? { operation, needs: [operation], sets: [] } : undefined;
    case "write":
      return { operation, needs: [], sets: [operation] };
    case "cas": {
      const needs = [{ key: operation.key, value: operation.expected }];
      return { operation, needs, sets: operation.outcome === "failed" ? [] : [operation] };
    }
    case "txn": {
      if (isLost && operation.set.length === 0) return undefined;
      const sets = operation.outcome === "failed" ? [] : operation.set;
      // A transaction that asks for nothing and changes nothing can be anywhere; a failed one can be nowhere.
      if (operation.required.length + sets.length === 0 && operation.outcome === "ok")
        return undefined;
      return { operation, needs: operation.required, sets };
    }
  }
}

/** A transaction that failed although it required nothing has no key, and is a group of its own. */
function firstKey({ operation, needs, sets }: Demand): string {
  return needs[0]?.key ?? sets[0]?.key ?? operation.id;
}

function connect(demands: readonly Demand[]): (key: string) => string {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    for (let up = parents.get(root); up !== undefined; up = parents.get(root)) root = up;
    // Shorten the way, or long chains of transactions would be walked again and again.
    for (let at = key; at !== root; ) {
      const up = parents.get(at) ?? root;
      parents.set(at, root);
      at = up;
    }
    return root;
  };
  for (const demand of demands) {
    const first = firstKey(demand);
    for (const { key } of [...demand.needs, ...demand.sets]) {
      const [a, b] = [rootOf(first), rootOf(key)];
      if (a !== b) parents.set(b, a);
    }
  }
  return rootOf;
}

function compileGroup(demands: readonly Demand[]): Model {
  const keys = new Map<string, number>();
  const values = new Map<string, number>([[canonicalJson(null), absentValue]]);
  const pairOf = ({ key, value }: Assignment): Pair => ({
    key: numberOf(keys, key),
    value: numberOf(values, canonicalJson(value)),
  });
  const steps = demands.map(({ operation, needs, sets }): Step => {
    const isOptional = operation.outcome === "unknown";
    const needed = needs.map(pairOf);
    const asked = new Set(needed.map(({ key, value }) => `${key}=${value}`));
    // The last one counts when a key is set twice.
    const written = new Map(sets.map(pairOf).map((pair) => [pair.key, pair]));
    return {
      operation,
      start: operation.start,
      end: isOptional ? Number.POSITIVE_INFINITY : operation.end,
      isOptional,
      needs: needed,
      isRefuted: operation.outcome === "failed",
      sets: [...written.values()].filter(({ key, value }) => !asked.has(`${key}=${value}`)),
    };
  });
  return {
    keys: [...keys.keys()],
    initial: Array.from(keys, () => absentValue),
    valueCount: values.size + 1,
    steps: steps.filter(({ isOptional, sets }) => !isOptional || sets.length > 0),
  };
}

function numberOf(numbers: Map<string, number>, text: string): number {
  const known = numbers.get(text);
  if (known !== undefined) return known;
  numbers.set(text, numbers.size);
  return numbers.size - 1;
}

/** Whether the step can take place on a vector of values, one for each key. */
export function isEnabled(vector: readonly number[], { needs, isRefuted }: Step): boolean {
  const holds = needs.every(({ key, value }) => vector[key] === value);
  return holds !== isRefuted;
}

/** The vector after the step; the same object when nothing changes. */
export function applyStep(vector: readonly number[], { sets }: Step): readonly number[] {
  let next: number[] | undefined;
  for (const { key, value } of sets) {
    if (vector[key] === value) continue;
    next ??= [...vector];
    next[key] = value;
  }
  return next ?? vector;
}

/** Whether the step is about a single key. */
export function isOnOneKey({ needs, sets }: Step): boolean {
  const first = needs[0] ?? sets[0];
  return [...needs, ...sets].every(({ key }) => key === first?.key);
}
