import type { Json } from "@halon/protocol";

/** What becomes of a new key when a matcher has as many windows as it may keep. */
export type Overflow = "oldest" | "refuse";

interface Keyed {
  /** Windows that are kept at most. */
  readonly keysMax: number;
  readonly overflow: Overflow;
}

/** How numbers of one window are put together. */
export type AggregateType = "count" | "sum" | "mean" | "min" | "max" | "last";

export interface AggregateDescription {
  readonly name: string;
  readonly type: AggregateType;
}

/**
 * A pattern over time as plain data: what folds contributions without code of a rule file (rfc/0010). Times in ms.
 *
 * Parts of a pattern are counted from 0; what each part is an event of stands with the rule.
 */
export type PatternDescription = Keyed &
  (
    | { readonly type: "count"; readonly atLeast: number; readonly withinMs: number }
    | { readonly type: "sequence"; readonly parts: number; readonly withinMs: number }
    | { readonly type: "all"; readonly parts: number; readonly withinMs: number }
    /** Part 0 begins it, part 1 is what must not be missing. */
    | { readonly type: "absence"; readonly withinMs: number }
    | {
        readonly type: "sliding";
        readonly withinMs: number;
        readonly buckets: number;
        readonly aggregates: readonly AggregateDescription[];
      }
    | {
        readonly type: "tumbling";
        readonly everyMs: number;
        readonly aggregates: readonly AggregateDescription[];
      }
    | {
        readonly type: "session";
        readonly gapMs: number;
        readonly aggregates: readonly AggregateDescription[];
      }
    | { readonly type: "throttle"; readonly everyMs: number }
    | { readonly type: "debounce"; readonly quietMs: number }
    /** Part 0 is the left side, part 1 the right one; each keeps at most so many that wait. */
    | { readonly type: "join"; readonly withinMs: number; readonly keep: number }
  );

/** What one event gives to one window. */
export interface Contribution {
  readonly key: string;
  readonly part: number;
  /** One for each aggregate. */
  readonly values?: readonly number[];
  /** What a later match needs of the event: of `debounce` and `join`. */
  readonly kept?: Json;
}

/** A pattern has matched. Times are log time in ms, both ends included. */
export interface Match {
  readonly key: string;
  /** Of the first event that takes part. */
  readonly since: number;
  readonly until: number;
  /** Events that take part, where the pattern counts them. */
  readonly count?: number;
  /** Of the aggregates, by name. */
  readonly values?: Readonly<Record<string, number>>;
  /** `debounce`: of the last event. `join`: of the left and of the right one. */
  readonly kept?: Json;
}
