import { type Contribution, compareText, type PatternDescription } from "@halon/protocol";
import { addTo, readFrom, widthOf } from "./aggregates.ts";
import type { Match } from "./match.ts";
import { type Matcher, neverDue, noMatches } from "./matcher.ts";
import { SlotHeap } from "./slot-heap.ts";
import { type SavedWindow, Windows } from "./windows.ts";

type Of<T extends PatternDescription["type"]> = Extract<PatternDescription, { readonly type: T }>;

const sinceAt = 0;
const dueAt = 1;
const lastAt = 2;
const ownWidth = 3;

/** Windows that end by time: each has when it began, when it is due, and when its last event came. */
abstract class Timed implements Matcher {
  readonly windows: Windows;
  /** What is due when. Equal times come in the order of their keys. */
  readonly #due: SlotHeap;

  constructor({ keysMax, overflow }: PatternDescription, width: number) {
    const windows = new Windows({
      width: ownWidth + width,
      keysMax,
      overflow,
      idleMs: Number.POSITIVE_INFINITY,
      dropping: (slot) => this.#due.remove(slot),
    });
    this.windows = windows;
    this.#due = new SlotHeap((a, b) => {
      const one = windows.get(a, dueAt);
      const other = windows.get(b, dueAt);
      if (one !== other) return one < other;
      return compareText(windows.keyOf(a), windows.keyOf(b)) < 0;
    });
  }

  get firstDue(): number {
    const slot = this.#due.first;
    return slot < 0 ? neverDue : this.windows.get(slot, dueAt);
  }

  abstract take(contribution: Contribution, at: number): readonly Match[];

  /** What the window says at its end. */
  protected abstract ended(slot: number): Match;

  due(now: number): Match | null {
    if (this.firstDue > now) return null;
    const slot = this.#due.first;
    const match = this.ended(slot);
    this.end(slot);
    return match;
  }

  save(): readonly SavedWindow[] {
    return this.windows.save();
  }

  load(saved: readonly SavedWindow[]): void {
    this.windows.load(saved);
    for (const [key] of saved) this.#due.put(this.windows.find(key));
  }

  /** The window of the key, begun at `at` when there was none; -1 when there is no room. */
  protected opened(key: string, at: number): number {
    const isNew = this.windows.find(key) < 0;
    const slot = this.windows.open(key, at);
    if (slot < 0) return slot;
    if (isNew) this.windows.set(slot, sinceAt, at);
    this.windows.set(slot, lastAt, at);
    return slot;
  }

  protected arm(slot: number, due: number): void {
    this.windows.set(slot, dueAt, due);
    this.#due.put(slot);
  }

  protected end(slot: number): void {
    // Before its time and key are gone, by which it is found in the heap.
    this.#due.remove(slot);
    this.windows.close(slot);
  }
}

/** `absence`: what began and was not followed. What comes at the last moment has come in time. */
export class Absence extends Timed {
  readonly #withinMs: number;

  constructor(pattern: Of<"absence">) {
    super(pattern, 0);
    this.#withinMs = pattern.withinMs;
  }

  take({ key, part }: Contribution, at: number): readonly Match[] {
    const known = this.windows.find(key);
    if (part === 1 && known >= 0) this.end(known);
    // What began again is waited for from its first time on.
    if (part === 1 || known >= 0) return noMatches;
    const slot = this.opened(key, at);
    if (slot >= 0) this.arm(slot, at + this.#withinMs + 1);
    return noMatches;
  }

  protected ended(slot: number): Match {
    const since = this.windows.get(slot, sinceAt);
    return { key: this.windows.keyOf(slot), since, until: since + this.#withinMs };
  }
}

/** `debounce`: the last event of a burst. */
export class Debounce extends Timed {
  readonly #quietMs: number;

  constructor(pattern: Of<"debounce">) {
    super(pattern, 1);
    this.#quietMs = pattern.quietMs;
  }

  take({ key, kept }: Contribution, at: number): readonly Match[] {
    const slot = this.opened(key, at);
    if (slot < 0) return noMatches;
    this.windows.set(slot, ownWidth, this.windows.get(slot, ownWidth) + 1);
    if (kept !== undefined) this.windows.keep(slot, kept);
    this.arm(slot, at + this.#quietMs + 1);
    return noMatches;
  }

  protected ended(slot: number): Match {
    const { windows } = this;
    const kept = windows.kept(slot);
    return {
      key: windows.keyOf(slot),
      since: windows.get(slot, sinceAt),
      until: windows.get(slot, lastAt),
      count: windows.get(slot, ownWidth),
      ...(kept === undefined ? {} : { kept }),
    };
  }
}

/** `tumbling`: windows that follow each other, counted from log time 0. */
export class Tumbling extends Timed {
  readonly #pattern: Of<"tumbling">;

  constructor(pattern: Of<"tumbling">) {
    super(pattern, widthOf(pattern.aggregates));
    this.#pattern = pattern;
  }

  take({ key, values }: Contribution, at: number): readonly Match[] {
    const { everyMs, aggregates } = this.#pattern;
    const isNew = this.windows.find(key) < 0;
    const slot = this.opened(key, at);
    if (slot < 0) return noMatches;
    const begin = Math.floor(at / everyMs) * everyMs;
    if (isNew) {
      this.windows.set(slot, sinceAt, begin);
      this.arm(slot, begin + everyMs);
    }
    addTo(this.windows, slot, ownWidth, aggregates, values ?? []);
    return noMatches;
  }

  protected ended(slot: number): Match {
    const since = this.windows.get(slot, sinceAt);
    return {
      key: this.windows.keyOf(slot),
      since,
      until: since + this.#pattern.everyMs,
      ...readFrom(this.windows, slot, [ownWidth], this.#pattern.aggregates),
    };
  }
}

/** `session`: events that follow each other with no longer gap. */
export class Session extends Timed {
  readonly #pattern: Of<"session">;

  constructor(pattern: Of<"session">) {
    super(pattern, widthOf(pattern.aggregates));
    this.#pattern = pattern;
  }

  take({ key, values }: Contribution, at: number): readonly Match[] {
    const slot = this.opened(key, at);
    if (slot < 0) return noMatches;
    addTo(this.windows, slot, ownWidth, this.#pattern.aggregates, values ?? []);
    this.arm(slot, at + this.#pattern.gapMs + 1);
    return noMatches;
  }

  protected ended(slot: number): Match {
    return {
      key: this.windows.keyOf(slot),
      since: this.windows.get(slot, sinceAt),
      until: this.windows.get(slot, lastAt),
      ...readFrom(this.windows, slot, [ownWidth], this.#pattern.aggregates),
    };
  }
}
