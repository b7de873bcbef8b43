import { applyStep, isEnabled, type Model, type Step } from "./linearizability-model.ts";

/** What a sweep came to: `none` with the first step whose return no order explains, or its bound. */
export type Swept =
  | { readonly type: "possible" }
  | { readonly type: "none"; readonly at: Step }
  | { readonly type: "undecided" };

/** A sweep that has made more configurations is given up. */
const configurationsMax = 100_000;

/** One way in which everything up to now can have happened. Sets are bits, by place in the model. */
interface Configuration {
  readonly vector: readonly number[];
  /** Required steps that set something, have not returned, and have taken place. */
  readonly wrote: bigint;
  /** Required steps that only look, have not returned, and have taken place. */
  readonly looked: bigint;
  /** Optional steps that have taken place. */
  readonly used: bigint;
}

interface Open {
  readonly step: Step;
  readonly bit: bigint;
}

/**
 * Goes through calls and returns in order of time, and keeps every configuration that is possible.
 *
 * It shares no reasoning with `findOrder`, so that one checks the other. It needs far more room when much is concurrent or unknown.
 */
export function sweep(model: Model): Swept {
  const events = model.steps.flatMap((step, place) => {
    const open = { step, bit: 1n << BigInt(place) };
    const call = { ...open, time: step.start, isReturn: false };
    return step.isOptional ? [call] : [call, { ...open, time: step.end, isReturn: true }];
  });
  events.sort((a, b) => a.time - b.time || Number(a.isReturn) - Number(b.isReturn));
  const open: Open[] = [];
  let configurations: readonly Configuration[] = [
    { vector: model.initial, wrote: 0n, looked: 0n, used: 0n },
  ];
  let madeCount = 0;
  for (const event of events) {
    if (!event.isReturn) {
      open.push(event);
      configurations = configurations.map((configuration) => look(configuration, open));
      continue;
    }
    const { finished, made } = finish(event, configurations, open);
    madeCount += made;
    if (madeCount > configurationsMax) return { type: "undecided" };
    if (finished.length === 0) return { type: "none", at: event.step };
    open.splice(
      open.findIndex(({ bit }) => bit === event.bit),
      1,
    );
    configurations = withoutDominated(finished.map((each) => forget(each, event.bit)));
  }
  return { type: "possible" };
}

/** Lets every open step that only looks take place where it can: it changes nothing for the others. */
function look(configuration: Configuration, open: readonly Open[]): Configuration {
  let { looked } = configuration;
  for (const { step, bit } of open) {
    const isLook = !step.isOptional && step.sets.length === 0;
    if (isLook && isEnabled(configuration.vector, step)) looked |= bit;
  }
  return { ...configuration, looked };
}

/** All configurations in which the step has taken place, reached by open steps from those in which it has not. */
function finish(
  { bit }: Open,
  configurations: readonly Configuration[],
  open: readonly Open[],
): { readonly finished: readonly Configuration[]; readonly made: number } {
  const finished: Configuration[] = [];
  const waiting = [...configurations];
  const seen = new Set<string>();
  for (let from = waiting.pop(); from !== undefined; from = waiting.pop()) {
    if (((from.wrote | from.looked) & bit) !== 0n) {
      finished.push(from);
      continue;
    }
    for (const next of successors(from, open)) {
      const name = nameOf(next);
      if (!seen.has(name)) waiting.push(next);
      seen.add(name);
    }
    if (seen.size > configurationsMax) break;
  }
  return { finished, made: seen.size };
}

function successors(from: Configuration, open: readonly Open[]): readonly Configuration[] {
  return open.flatMap(({ step, bit }) => {
    if (step.sets.length === 0 || ((from.wrote | from.used) & bit) !== 0n) return [];
    if (!isEnabled(from.vector, step)) return [];
    const vector = applyStep(from.vector, step);
    if (!step.isOptional) return [look({ ...from, vector, wrote: from.wrote | bit }, open)];
    // One that changes nothing now is no better than one that has not taken place.
    return vector === from.vector ? [] : [look({ ...from, vector, used: from.used | bit }, open)];
  });
}

function forget(configuration: Configuration, bit: bigint): Configuration {
  const { wrote, looked } = configuration;
  return { ...configuration, wrote: wrote & ~bit, looked: looked & ~bit };
}

/** Leaves out what has used more and seen less than another one in the same state. */
function withoutDominated(configurations: readonly Configuration[]): readonly Configuration[] {
  const groups = new Map<string, Configuration[]>();
  for (const each of configurations) {
    const name = `${each.vector.join()}|${each.wrote}`;
    const group = groups.get(name) ?? [];
    if (group.some((other) => dominates(other, each))) continue;
    groups.set(name, [...group.filter((other) => !dominates(each, other)), each]);
  }
  return [...groups.values()].flat();
}

function dominates(a: Configuration, b: Configuration): boolean {
  return (b.looked & ~a.looked) === 0n && (a.used & ~b.used) === 0n;
}

function nameOf({ vector, wrote, looked, used }: Configuration): string {
  return `${vector.join()}|${wrote}|${looked}|${used}`;
}
