import type { Json } from "@halon/protocol";

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
