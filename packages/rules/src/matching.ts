import type { Contribution, PatternDescription } from "@halon/protocol";
import { canonicalJson, compareText } from "@halon/protocol";
import { createMatcher } from "./pattern/create.ts";
import type { Match } from "./pattern/match.ts";
import { type Matcher, neverDue, noMatches } from "./pattern/matcher.ts";
import { SlotHeap } from "./pattern/slot-heap.ts";
import type { SavedWindow } from "./pattern/windows.ts";

/** The matchers of all rules in force, as a snapshot has them: by rule, with what each describes. */
export type SavedMatching = readonly {
  readonly rule: string;
  readonly pattern: PatternDescription;
  readonly windows: readonly SavedWindow[];
}[];

/** How full the matcher of one rule is. */
export interface MatcherCount {
  readonly rule: string;
  /** Windows that are open, that were dropped for want of room, and keys that were refused. */
  readonly open: number;
  readonly dropped: number;
  readonly refused: number;
}

/** What time alone has matched. */
export interface DueMatch {
  readonly rule: string;
  readonly match: Match;
}

interface Entry {
  readonly pattern: PatternDescription;
  readonly matcher: Matcher;
  /** Its place among the timed ones; -1 when it is none. */
  readonly timed: number;
}

/**
 * The windows of all rules: a fold of contributions, in which no code of a rule file runs (rfc/0010).
 *
 * Rules are named `file/rule`. It has one owner, and is changed in place.
 */
export class Matching {
  #entries = new Map<string, Entry>();
  /** In the order of their names: those in which time alone makes matches. */
  #timed: (readonly [rule: string, matcher: Matcher])[] = [];
  /** Which of the timed ones is due first; of equal times the first by name. */
  #due = new SlotHeap(() => false);

  /**
   * Makes these the matchers. One whose rule had an equal pattern goes on with its windows.
   *
   * Answers how many open windows ended.
   */
  bring(patterns: ReadonlyMap<string, PatternDescription>): number {
    const before = this.#entries;
    this.#entries = new Map();
    this.#timed = [];
    let ended = 0;
    for (const [rule, pattern] of [...patterns].sort(([a], [b]) => compareText(a, b))) {
      const known = before.get(rule);
      const isSame = known !== undefined && canonicalJson(known.pattern) === canonicalJson(pattern);
      const matcher = isSame ? known.matcher : createMatcher(pattern);
      const timed = isTimed(pattern) ? this.#timed.push([rule, matcher]) - 1 : -1;
      this.#entries.set(rule, { pattern, matcher, timed });
      if (isSame) before.delete(rule);
    }
    for (const { matcher } of before.values()) ended += matcher.windows.size;
    this.#due = new SlotHeap((a, b) => {
      const one = this.#dueOf(a);
      const other = this.#dueOf(b);
      return one === other ? a < b : one < other;
    });
    for (let place = 0; place < this.#timed.length; place += 1) this.#due.put(place);
    return ended;
  }

  /** Takes what an event gives to the rule's pattern at log time `at`; of a rule without a matcher nothing matches. */
  take(rule: string, contribution: Contribution, at: number): readonly Match[] {
    const entry = this.#entries.get(rule);
    if (entry === undefined) return noMatches;
    const matches = entry.matcher.take(contribution, at);
    if (entry.timed >= 0) this.#due.put(entry.timed);
    return matches;
  }

  /** When time alone makes the next match; infinite when nothing waits. Asked before each decision. */
  get firstDue(): number {
    return this.#dueOf(this.#due.first);
  }

  /** Takes the first match that is due at `now` or before: in the order of time, rule and key. Null when none is. */
  due(now: number): DueMatch | null {
    const place = this.#due.first;
    const timed = this.#timed[place];
    if (timed === undefined) return null;
    const [rule, matcher] = timed;
    const match = matcher.due(now);
    if (match === null) return null;
    this.#due.put(place);
    return { rule, match };
  }

  counts(): readonly MatcherCount[] {
    return [...this.#entries].map(
      ([
        rule,
        {
          matcher: { windows },
        },
      ]) => ({
        rule,
        open: windows.size,
        dropped: windows.dropped,
        refused: windows.refused,
      }),
    );
  }

  save(): SavedMatching {
    return [...this.#entries].map(([rule, { pattern, matcher }]) => ({
      rule,
      pattern,
      windows: matcher.save(),
    }));
  }

  /** Windows of the rules of a file, as `save` has them. */
  saveOf(file: string): readonly SavedWindow[] {
    const prefix = `${file}/`;
    return [...this.#entries].flatMap(([rule, { matcher }]) =>
      rule.startsWith(prefix) ? matcher.save() : [],
    );
  }

  /** Takes the place of all that is here. */
  load(saved: SavedMatching): void {
    this.#entries = new Map();
    this.bring(new Map(saved.map(({ rule, pattern }) => [rule, pattern])));
    for (const { rule, windows } of saved) {
      const entry = this.#entries.get(rule);
      if (entry === undefined) continue;
      entry.matcher.load(windows);
      if (entry.timed >= 0) this.#due.put(entry.timed);
    }
  }

  #dueOf(place: number): number {
    return this.#timed[place]?.[1].firstDue ?? neverDue;
  }
}

function isTimed({ type }: PatternDescription): boolean {
  return type === "absence" || type === "debounce" || type === "tumbling" || type === "session";
}
