import { EventList, isReturn, listEnd, placeOf } from "./linearizability-events.ts";
import {
  applyStep,
  isEnabled,
  isOnOneKey,
  type Model,
  type Pair,
  type Step,
} from "./linearizability-model.ts";

/** What a search came to: an order that explains all answers, the proof that there is none, or its bound. */
export type Found =
  | { readonly type: "order"; readonly steps: readonly Step[] }
  | { readonly type: "none" }
  | { readonly type: "undecided" };

/** A search that has seen more configurations is given up: some hundred megabytes. */
const configurationsMax = 2_000_000;

/** A choice on the way to an order, with what it takes to undo it. A branch is a place, `~place` of an optional step. */
interface Frame {
  readonly looked: readonly number[];
  readonly vector: readonly number[];
  readonly highest: number;
  readonly usedName: number;
  readonly branches: readonly number[];
  at: number;
  taken: number | undefined;
}

/**
 * Finds an order of a model's steps that respects real time and explains all answers.
 *
 * Wing and Gong's search (1993), with Lowe's memory of configurations (2017).
 */
export function findOrder(model: Model): Found {
  return new Search(model).run();
}

class Search {
  readonly #valueCount: number;
  readonly #required: readonly Step[];
  readonly #optional: readonly Step[];
  readonly #wide: readonly number[];
  readonly #events: EventList;
  readonly #settersOf = new Map<number, number[]>();
  /** Of each pair: the required steps left that need it, and the steps left that set it. */
  readonly #needing: Int32Array;
  readonly #setting: Int32Array;
  readonly #used: Uint8Array;
  readonly #usedNames = new Map<string, number>();
  readonly #signatures: ReadonlyMap<Step, string>;
  readonly #seen = new Set<string>();
  readonly #frames: Frame[] = [];
  #left: number;
  #vector: readonly number[];
  #highest = -1;
  #usedName = -1;

  constructor(model: Model) {
    const byStart = model.steps.toSorted((a, b) => a.start - b.start);
    const pairCount = model.keys.length * model.valueCount;
    this.#valueCount = model.valueCount;
    this.#required = byStart.filter(({ isOptional }) => !isOptional);
    this.#optional = byStart.filter(({ isOptional }) => isOptional);
    this.#wide = [...this.#optional.keys()].filter((place) => {
      const step = this.#optional[place];
      return step !== undefined && !isOnOneKey(step);
    });
    this.#events = new EventList(this.#required);
    this.#needing = new Int32Array(pairCount);
    this.#setting = new Int32Array(pairCount);
    this.#used = new Uint8Array(this.#optional.length);
    this.#signatures = new Map(model.steps.map((step) => [step, signatureOf(step)]));
    this.#left = this.#required.length;
    this.#vector = model.initial;
    for (const step of model.steps) this.#count(step, 1);
    this.#optional.forEach(({ sets }, place) => {
      for (const pair of sets) {
        const setters = this.#settersOf.get(this.#codeOf(pair));
        if (setters === undefined) this.#settersOf.set(this.#codeOf(pair), [place]);
        else setters.push(place);
      }
    });
  }

  run(): Found {
    if (this.#needsWhatNobodySet()) return { type: "none" };
    if (this.#enter()) return this.#order();
    for (;;) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) return { type: "none" };
      if (this.#seen.size > configurationsMax) return { type: "undecided" };
      if (frame.taken !== undefined) this.#undo(frame, frame.taken);
      const branch = frame.branches[frame.at];
      frame.at += 1;
      if (branch === undefined) {
        for (const place of frame.looked.toReversed()) this.#putBack(place);
        this.#frames.pop();
      } else if (this.#take(frame, branch) && this.#enter()) return this.#order();
    }
  }

  #needsWhatNobodySet(): boolean {
    return this.#needing.some((count, code) => {
      const value = this.#vector[Math.floor(code / this.#valueCount)];
      return count > 0 && this.#setting[code] === 0 && value !== code % this.#valueCount;
    });
  }

  /** Opens the next choice; true when no required step is left, because optional ones may simply be left out. */
  #enter(): boolean {
    const looked = this.#look();
    const { pending, deadline } = this.#window();
    // Exact: what is taken are all required steps up to the highest one, but for those that pend, and what is used.
    const below = pending.filter((place) => place < this.#highest).join();
    const name = `${this.#highest}|${below}|${this.#usedName}|${this.#vector.join()}`;
    const isNew = !this.#seen.has(name);
    this.#seen.add(name);
    this.#frames.push({
      looked,
      vector: this.#vector,
      highest: this.#highest,
      usedName: this.#usedName,
      branches: isNew ? this.#branches(pending, deadline) : [],
      at: 0,
      taken: undefined,
    });
    return this.#left === 0;
  }

  /**
   * Takes every step that only looks and can take place now; gives their places.
   *
   * No choice is needed: such a step can be moved to the front of any order of what is left.
   */
  #look(): readonly number[] {
    const looked: number[] = [];
    for (
      let event = this.#events.after(listEnd);
      event !== listEnd && !isReturn(event);
      event = this.#events.after(event)
    ) {
      const place = placeOf(event);
      const step = this.#required[place];
      if (step === undefined || step.sets.length > 0 || !isEnabled(this.#vector, step)) continue;
      this.#events.remove(place);
      this.#count(step, -1);
      this.#left -= 1;
      looked.push(place);
      this.#highest = Math.max(this.#highest, place);
    }
    return looked;
  }

  /** The required steps that can be next: all that start before one of those left has ended, at `deadline`. */
  #window(): { readonly pending: readonly number[]; readonly deadline: number } {
    const pending: number[] = [];
    let event = this.#events.after(listEnd);
    for (; event !== listEnd && !isReturn(event); event = this.#events.after(event)) {
      pending.push(placeOf(event));
    }
    const deadline = this.#required[placeOf(event)]?.end ?? Number.POSITIVE_INFINITY;
    return { pending, deadline };
  }

  /** The steps to try next. Of those that need and set the same, only the one that can wait least. */
  #branches(pending: readonly number[], deadline: number): readonly number[] {
    const tried = new Set<string>();
    const isFirst = (step: Step) => {
      const signature = this.#signatures.get(step) ?? "";
      return tried.size < tried.add(signature).size;
    };
    const writers = pending.flatMap((place) => {
      const step = this.#required[place];
      const isWriter = step !== undefined && step.sets.length > 0;
      return isWriter && isEnabled(this.#vector, step) ? [{ place, step }] : [];
    });
    writers.sort((a, b) => a.step.end - b.step.end);
    const optional = this.#useful(pending, deadline).filter((place) => {
      const step = this.#optional[place];
      return (
        step !== undefined &&
        isEnabled(this.#vector, step) &&
        applyStep(this.#vector, step) !== this.#vector
      );
    });
    return [
      ...writers.filter(({ step }) => isFirst(step)).map(({ place }) => place),
      ...optional.filter((place) => isFirst(this.#optional[place] as Step)).map((place) => ~place),
    ];
  }

  /**
   * The optional steps that may be worth a try, in order of their start.
   *
   * One that is about a single key can be delayed until right before the step that needs what it sets, or be left out. Between
   * them there are at most other such steps, so the needing step pends already. It need not be enabled by one alone.
   */
  #useful(pending: readonly number[], deadline: number): readonly number[] {
    const useful = new Set<number>();
    const asked: number[] = [];
    const add = (place: number) => {
      const step = this.#optional[place];
      if (step === undefined || useful.has(place)) return;
      if (this.#used[place] === 1 || step.start > deadline) return;
      useful.add(place);
      asked.push(...step.needs.map((pair) => this.#codeOf(pair)));
    };
    for (const place of this.#wide) add(place);
    for (const place of pending) {
      const step = this.#required[place];
      if (step === undefined) continue;
      if (!step.isRefuted) asked.push(...step.needs.map((pair) => this.#codeOf(pair)));
      else for (const other of this.#refuters(step)) add(other);
    }
    for (const code of asked) for (const place of this.#settersOf.get(code) ?? []) add(place);
    return [...useful].sort((a, b) => a - b);
  }

  /** The optional steps that leave another value than the step was told to fail for. */
  #refuters({ needs }: Step): readonly number[] {
    return [...this.#optional.keys()].filter((place) =>
      this.#optional[place]?.sets.some((set) =>
        needs.some(({ key, value }) => set.key === key && set.value !== value),
      ),
    );
  }

  /** False when the step would bury a value that is still needed and that nobody sets again. */
  #take(frame: Frame, branch: number): boolean {
    const step = this.#stepOf(branch);
    this.#count(step, -1);
    const buries = step.sets.some(({ key, value }) => {
      const old = this.#vector[key] ?? 0;
      const code = this.#codeOf({ key, value: old });
      return old !== value && (this.#needing[code] ?? 0) > 0 && this.#setting[code] === 0;
    });
    if (buries) {
      this.#count(step, 1);
      return false;
    }
    frame.taken = branch;
    this.#vector = applyStep(this.#vector, step);
    if (branch >= 0) {
      this.#events.remove(branch);
      this.#left -= 1;
      this.#highest = Math.max(this.#highest, branch);
    } else {
      this.#used[~branch] = 1;
      this.#usedName = this.#nameOfUsed();
    }
    return true;
  }

  #undo(frame: Frame, branch: number): void {
    if (branch >= 0) this.#putBack(branch);
    else {
      this.#used[~branch] = 0;
      this.#count(this.#stepOf(branch), 1);
    }
    this.#vector = frame.vector;
    this.#highest = frame.highest;
    this.#usedName = frame.usedName;
    frame.taken = undefined;
  }

  #putBack(place: number): void {
    this.#events.restore(place);
    this.#count(this.#stepOf(place), 1);
    this.#left += 1;
  }

  #order(): Found {
    const places = this.#frames.flatMap(({ looked, taken }) =>
      taken === undefined ? looked : [...looked, taken],
    );
    return { type: "order", steps: places.map((place) => this.#stepOf(place)) };
  }

  #stepOf(branch: number): Step {
    const step = branch >= 0 ? this.#required[branch] : this.#optional[~branch];
    if (step === undefined) throw new Error(`no step at ${branch}`);
    return step;
  }

  #nameOfUsed(): number {
    const text = [...this.#used.keys()].filter((place) => this.#used[place] === 1).join();
    const name = this.#usedNames.get(text) ?? this.#usedNames.size;
    this.#usedNames.set(text, name);
    return name;
  }

  #count(step: Step, difference: 1 | -1): void {
    const bump = (counts: Int32Array, pair: Pair) => {
      const code = this.#codeOf(pair);
      counts[code] = (counts[code] ?? 0) + difference;
    };
    for (const pair of step.sets) bump(this.#setting, pair);
    if (step.isOptional || step.isRefuted) return;
    for (const pair of step.needs) bump(this.#needing, pair);
  }

  #codeOf({ key, value }: Pair): number {
    return key * this.#valueCount + value;
  }
}

function signatureOf({ needs, sets, isRefuted }: Step): string {
  const textOf = (pairs: readonly Pair[]) => pairs.map(({ key, value }) => `${key}=${value}`);
  return `${textOf(needs).sort().join()}|${textOf(sets).sort().join()}|${isRefuted}`;
}
