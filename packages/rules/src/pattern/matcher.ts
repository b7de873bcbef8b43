import type { Contribution } from "@halon/protocol";
import type { Match } from "./match.ts";
import type { SavedWindow } from "./windows.ts";

export const noMatches: readonly Match[] = [];

/**
 * One pattern over time: a fold of contributions into windows, which says what has matched.
 *
 * Times are log time in ms and never go back. Deterministic; it has one owner, and is changed in place.
 */
export interface Matcher {
  /** Takes what one event gives, at log time `at`. */
  take(contribution: Contribution, at: number): readonly Match[];
  /** When time alone makes the next match; infinite when nothing waits. */
  readonly firstDue: number;
  /** What has matched by the time `now` alone; the first of those that are due, null when none is. */
  due(now: number): Match | null;
  readonly windows: Counted;
  save(): readonly SavedWindow[];
  /** Of a matcher of the same description, in which nothing has happened. */
  load(saved: readonly SavedWindow[]): void;
}

/** How full a matcher is. */
export interface Counted {
  readonly size: number;
  readonly dropped: number;
  readonly refused: number;
}

/** A pattern in which time alone makes no match. */
export const neverDue = Number.POSITIVE_INFINITY;
