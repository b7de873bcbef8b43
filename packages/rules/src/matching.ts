import type { Contribution, PatternDescription } from "@halon/protocol";
import { canonicalJson, compareText } from "@halon/protocol";
import { createMatcher } from "./pattern/create.ts";
import type { Match } from "./pattern/match.ts";
import { type Matcher, noMatches } from "./pattern/matcher.ts";
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
}

/**
 * The windows of all rules: a fold of contributions, in which no code of a rule file runs (rfc/0010).
 *
 * Rules are named `file/rule`. It has one owner, and is changed in place.
 */
export class Matching {
  #entries = new Map<string, Entry>();
  /** In the order of their names: those in which time alone makes matches. */
  #timed: readonly (readonly [rule: string, matcher: Matcher])[] = [];

  /**
   * Makes these the matchers. One whose rule had an equal pattern goes on with its windows.
   *
   * Answers how many open windows ended.
   */
  bring(patterns: ReadonlyMap<string, PatternDescription>): number {
    const before = this.#entries;
    this.#entries = new Map();
    let ended = 0;
    for (const [rule, pattern] of [...patterns].sort(([a], [b]) => compareText(a, b))) {
      const known = before.get(rule);
      const isSame = known !== undefined && canonicalJson(known.pattern) === canonicalJson(pattern);
      this.#entries.set(rule, isSame ? known : { pattern, matcher: createMatcher(pattern) });
      if (isSame) before.delete(rule);
    }
    for (const { matcher } of before.values()) ended += matcher.windows.size;
    this.#timed = [...this.#entries].flatMap(([rule, { pattern, matcher }]) =>
      isTimed(pattern) ? [[rule, matcher] as const] : [],
    );
    return ended;
  }

  /** Takes what an event gives to the rule's pattern at log time `at`; of a rule without a matcher nothing matches. */
  take(rule: string, contribution: Contribution, at: number): readonly Match[] {
    return this.#entries.get(rule)?.matcher.take(contribution, at) ?? noMatches;
  }

  /** When time alone makes the next match; infinite when nothing waits. */
  get firstDue(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const [, { firstDue }] of this.#timed) first = Math.min(first, firstDue);
    return first;
  }

  /** Takes the first match that is due at `now` or before: in the order of time, rule and key. Null when none is. */
  due(now: number): DueMatch | null {
    const first = this.firstDue;
    if (first > now) return null;
    for (const [rule, matcher] of this.#timed) {
      const match = matcher.firstDue === first ? matcher.due(now) : null;
      if (match !== null) return { rule, match };
    }
    return null;
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
    for (const { rule, windows } of saved) this.#entries.get(rule)?.matcher.load(windows);
  }
}

function isTimed({ type }: PatternDescription): boolean {
  return type === "absence" || type === "debounce" || type === "tumbling" || type === "session";
}
