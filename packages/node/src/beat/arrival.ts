import type { ProgressCounters } from "./progress.ts";

/** A beat that has come in. */
export interface Arrival {
  readonly node: string;
  readonly incarnation: number;
  /** As the beat thread saw it; ms of `performance.now()` of the main thread. */
  readonly at: number;
  readonly counters: ProgressCounters;
}
