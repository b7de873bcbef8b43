import type { Operation } from "./linearizability.ts";
import { isOnOneKey, type Model, otherValue, type Step } from "./linearizability-model.ts";
import { findOrder } from "./linearizability-search.ts";
import { sweep } from "./linearizability-sweep.ts";

/** The heart of a violation: see `Verdict`. */
export interface Window {
  readonly before: "absent" | "any";
  readonly operations: readonly Operation[];
  readonly isConfirmed: boolean;
}

/** Larger windows are given as they are: each step of making one smaller is a search. */
const thinnedStepsMax = 300;
/** A left edge is drawn only where as many vectors of values before it suffice to stand for all. */
const vectorsMax = 64;

/** Cuts a model that `findOrder` has no order for down to what contradicts itself. Throws if the second engine has one. */
export function findWindow(model: Model): Window {
  const prefix = shortestPrefix(model);
  const cut = cutLeft(prefix);
  const before = cut === prefix ? "absent" : "any";
  const isViolation = (steps: readonly Step[]) => violates({ ...prefix, steps }, before);
  const thin = cut.steps.length > thinnedStepsMax ? cut.steps : thinOut(cut.steps, isViolation);
  const window = { ...prefix, steps: thin };
  const swept = firstVectors(window, before).map((initial) => sweep({ ...window, initial }));
  if (swept.some(({ type }) => type === "possible")) {
    throw new Error(`the two engines disagree on keys ${model.keys.join(", ")}`);
  }
  return {
    before,
    operations: thin.map(toOperation),
    isConfirmed: swept.every(({ type }) => type === "none"),
  };
}

/** A violation stays one when the history goes on, so the end of the shortest one can be bisected. */
function shortestPrefix(model: Model): Model {
  const ends = endsOf(model.steps);
  const prefixOf = (count: number): Model => {
    const until = ends[count - 1] ?? Number.NEGATIVE_INFINITY;
    const started = model.steps.filter(({ start }) => start <= until);
    return { ...model, steps: started.flatMap((step) => (step.end > until ? loosen(step) : step)) };
  };
  return prefixOf(
    firstWhere(1, ends.length, (count) => findOrder(prefixOf(count)).type === "none"),
  );
}

/**
 * The same at the left, where the values are any. What could have its effect before something that is cut off ended may
 * take place or not: a sound cut demands nothing of it.
 */
function cutLeft(model: Model): Model {
  const ends = endsOf(model.steps);
  const suffixOf = (count: number): Model => {
    const cut = ends[ends.length - count - 1] ?? Number.NEGATIVE_INFINITY;
    const steps = model.steps.flatMap((step) => {
      if (step.end <= cut) return [];
      return step.start <= cut && !step.isOptional ? loosen(step) : step;
    });
    return withoutIdle({ ...model, steps });
  };
  const isViolation = (count: number) => violates(suffixOf(count), "any");
  let count = 1;
  while (count < ends.length && !isViolation(count)) count *= 2;
  if (count >= ends.length) return model;
  return suffixOf(firstWhere(Math.floor(count / 2) + 1, count, isViolation));
}

function violates(model: Model, before: "absent" | "any"): boolean {
  const vectors = firstVectors(model, before);
  if (vectors.length === 0) return false;
  return vectors.every((initial) => findOrder({ ...model, initial }).type === "none");
}

/** Enough first vectors to stand for all: each key has a value that somebody asks for, or one that nobody does. */
function firstVectors(model: Model, before: "absent" | "any"): readonly (readonly number[])[] {
  if (before === "absent") return [model.initial];
  let vectors: readonly (readonly number[])[] = [[]];
  for (const key of model.keys.keys()) {
    const needs = model.steps.flatMap((step) => step.needs);
    const values = new Set([
      ...needs.filter((need) => need.key === key).map(({ value }) => value),
      otherValue(model),
    ]);
    vectors = vectors.flatMap((vector) => [...values].map((value) => [...vector, value]));
    if (vectors.length > vectorsMax) return [];
  }
  return vectors;
}

/** Drops or loosens each step that the violation does not need; what remains is needed, whatever the order of tries. */
function thinOut(
  steps: readonly Step[],
  isViolation: (steps: readonly Step[]) => boolean,
): readonly Step[] {
  let thin = steps;
  for (const step of steps.toReversed()) {
    if (step.isOptional) continue;
    const looser = thin.flatMap((each) => (each === step ? loosen(step) : each));
    if (isViolation(looser)) thin = looser;
  }
  return idleLeftOut(thin);
}

/** What is known of a step whose answer is taken away. */
function loosen(step: Step): readonly Step[] {
  if (step.sets.length === 0) return [];
  return [{ ...step, isOptional: true, end: Number.POSITIVE_INFINITY }];
}

function withoutIdle(model: Model): Model {
  return { ...model, steps: idleLeftOut(model.steps) };
}

/** Leaves out optional steps that no answer can need: nobody asks for what they set. */
function idleLeftOut(steps: readonly Step[]): readonly Step[] {
  const kept = new Set(steps.filter((step) => !step.isOptional || !isOnOneKey(step)));
  for (const asking of kept) {
    for (const step of steps) {
      const isAsked = step.sets.some((set) =>
        asking.needs.some(
          ({ key, value }) => key === set.key && (value === set.value) !== asking.isRefuted,
        ),
      );
      // A set is iterated up to what is added meanwhile.
      if (isAsked) kept.add(step);
    }
  }
  return steps.filter((step) => kept.has(step));
}

function toOperation({ operation, isOptional }: Step): Operation {
  if (!isOptional || operation.outcome === "unknown") return operation;
  if (operation.type !== "read") return { ...operation, outcome: "unknown" };
  throw new Error(`the read ${operation.id} sets something`);
}

function endsOf(steps: readonly Step[]): readonly number[] {
  return steps
    .filter(({ isOptional }) => !isOptional)
    .map(({ end }) => end)
    .sort((a, b) => a - b);
}

/** The lowest number from `low` to `high` that a test holds for; it holds for `high` and stays once it holds. */
function firstWhere(low: number, high: number, holds: (count: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
