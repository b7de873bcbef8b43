import type { Contribution, PatternDescription } from "@halon/protocol";
import { addTo, readFrom, widthOf } from "./aggregates.ts";
import type { Match } from "./match.ts";
import { type Matcher, neverDue, noMatches } from "./matcher.ts";
import { marked, unmarked } from "./occurrences.ts";
import { type SavedWindow, Windows } from "./windows.ts";

type SlidingPattern = Extract<PatternDescription, { readonly type: "sliding" }>;

/**
 * `sliding`: aggregates of the last time, which moves on in steps of one bucket.
 *
 * Each event costs as many steps as there are buckets, however many events the window holds.
 */
export class Sliding implements Matcher {
  readonly firstDue = neverDue;
  readonly windows: Windows;
  readonly #pattern: SlidingPattern;
  readonly #bucketMs: number;
  /** Of a bucket: its number in time, and its aggregates. */
  readonly #bucketWidth: number;

  constructor(pattern: SlidingPattern) {
    this.#pattern = pattern;
    const { keysMax, overflow, buckets, withinMs: idleMs, aggregates } = pattern;
    this.#bucketMs = Math.max(1, Math.ceil(idleMs / buckets));
    this.#bucketWidth = 1 + widthOf(aggregates);
    const width = buckets * this.#bucketWidth;
    this.windows = new Windows({ width, keysMax, overflow, idleMs });
  }

  take({ key, values }: Contribution, at: number): readonly Match[] {
    const { windows } = this;
    const { buckets, aggregates } = this.#pattern;
    const slot = windows.open(key, at);
    if (slot < 0) return noMatches;
    const number = Math.floor(at / this.#bucketMs);
    const from = (number % buckets) * this.#bucketWidth;
    if (unmarked(windows.get(slot, from)) !== number) this.#begin(slot, from, number);
    addTo(windows, slot, from + 1, aggregates, values ?? []);
    const parts = this.#parts(slot, number);
    const first = Math.max(0, number - buckets + 1) * this.#bucketMs;
    return [{ key, since: first, until: at, ...readFrom(windows, slot, parts, aggregates) }];
  }

  due(): null {
    return null;
  }

  save(): readonly SavedWindow[] {
    return this.windows.save();
  }

  load(saved: readonly SavedWindow[]): void {
    this.windows.load(saved);
  }

  #begin(slot: number, from: number, number: number): void {
    for (let offset = 0; offset < this.#bucketWidth; offset += 1)
      this.windows.set(slot, from + offset, 0);
    this.windows.set(slot, from, marked(number));
  }

  /** Where the aggregates of the buckets begin that are in the window, oldest first. */
  #parts(slot: number, number: number): readonly number[] {
    const { buckets } = this.#pattern;
    const parts: number[] = [];
    for (let one = number - buckets + 1; one <= number; one += 1) {
      const from = (((one % buckets) + buckets) % buckets) * this.#bucketWidth;
      if (unmarked(this.windows.get(slot, from)) === one) parts.push(from + 1);
    }
    return parts;
  }
}
