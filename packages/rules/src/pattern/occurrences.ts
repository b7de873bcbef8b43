import type { Contribution, PatternDescription } from "@halon/protocol";
import type { Match } from "./match.ts";
import { type Matcher, neverDue, noMatches } from "./matcher.ts";
import { type SavedWindow, Windows } from "./windows.ts";

type Of<T extends PatternDescription["type"]> = Extract<PatternDescription, { readonly type: T }>;

/** `count`: the last times of a key in a ring; the oldest of them says whether enough came in time. */
export class Count implements Matcher {
  readonly firstDue = neverDue;
  readonly windows: Windows;
  readonly #pattern: Of<"count">;

  constructor(pattern: Of<"count">) {
    this.#pattern = pattern;
    const { keysMax, overflow, atLeast, withinMs: idleMs } = pattern;
    // The times, how many there are, and where the oldest stands.
    this.windows = new Windows({ width: atLeast + 2, keysMax, overflow, idleMs });
  }

  take({ key }: Contribution, at: number): readonly Match[] {
    const { windows } = this;
    const { atLeast, withinMs } = this.#pattern;
    const slot = windows.open(key, at);
    if (slot < 0) return noMatches;
    const count = windows.get(slot, atLeast);
    const oldest = windows.get(slot, atLeast + 1);
    windows.set(slot, (oldest + count) % atLeast, at);
    if (count + 1 < atLeast) {
      windows.set(slot, atLeast, count + 1);
      return noMatches;
    }
    const since = windows.get(slot, oldest);
    if (at - since > withinMs) {
      windows.set(slot, atLeast + 1, (oldest + 1) % atLeast);
      return noMatches;
    }
    windows.close(slot);
    return [{ key, since, until: at, count: atLeast }];
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
}

/**
 * `sequence`: of each part, the latest start of a run that has come so far.
 *
 * A later start is never worse, so the match is found whenever there is one. An event that is several parts gives the
 * later part first, or it would follow itself.
 */
export class Sequence implements Matcher {
  readonly firstDue = neverDue;
  readonly windows: Windows;
  readonly #pattern: Of<"sequence">;

  constructor(pattern: Of<"sequence">) {
    this.#pattern = pattern;
    const { keysMax, overflow, parts, withinMs: idleMs } = pattern;
    this.windows = new Windows({ width: parts, keysMax, overflow, idleMs });
  }

  take({ key, part }: Contribution, at: number): readonly Match[] {
    const { windows } = this;
    const { parts, withinMs } = this.#pattern;
    // What only begins a window of its own can go on with nothing.
    if (part > 0 && windows.find(key) < 0) return noMatches;
    const slot = windows.open(key, at);
    if (slot < 0) return noMatches;
    const since = part === 0 ? at : unmarked(windows.get(slot, part - 1));
    if (since === undefined || at - since > withinMs) return noMatches;
    if (part < parts - 1) {
      windows.set(slot, part, marked(since));
      return noMatches;
    }
    windows.close(slot);
    return [{ key, since, until: at, count: parts }];
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
}

/** `all`: the last time of each part. */
export class All implements Matcher {
  readonly firstDue = neverDue;
  readonly windows: Windows;
  readonly #pattern: Of<"all">;

  constructor(pattern: Of<"all">) {
    this.#pattern = pattern;
    const { keysMax, overflow, parts, withinMs: idleMs } = pattern;
    this.windows = new Windows({ width: parts, keysMax, overflow, idleMs });
  }

  take({ key, part }: Contribution, at: number): readonly Match[] {
    const { windows } = this;
    const { parts, withinMs } = this.#pattern;
    const slot = windows.open(key, at);
    if (slot < 0) return noMatches;
    windows.set(slot, part, marked(at));
    let since = at;
    for (let other = 0; other < parts; other += 1) {
      const seen = unmarked(windows.get(slot, other));
      if (seen === undefined || at - seen > withinMs) return noMatches;
      since = Math.min(since, seen);
    }
    windows.close(slot);
    return [{ key, since, until: at, count: parts }];
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
}

/** `throttle`: when the last one was let through. */
export class Throttle implements Matcher {
  readonly firstDue = neverDue;
  readonly windows: Windows;
  readonly #pattern: Of<"throttle">;

  constructor(pattern: Of<"throttle">) {
    this.#pattern = pattern;
    const { keysMax, overflow, everyMs: idleMs } = pattern;
    this.windows = new Windows({ width: 1, keysMax, overflow, idleMs });
  }

  take({ key }: Contribution, at: number): readonly Match[] {
    const { windows } = this;
    const known = windows.find(key);
    if (known >= 0 && at - windows.get(known, 0) < this.#pattern.everyMs) return noMatches;
    const slot = windows.open(key, at);
    if (slot < 0) return noMatches;
    windows.set(slot, 0, at);
    return [{ key, since: at, until: at, count: 1 }];
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
}

/** A time in a place where 0 says that there is none. */
export function marked(at: number): number {
  return at + 1;
}

export function unmarked(value: number): number | undefined {
  return value === 0 ? undefined : value - 1;
}
