import type { SimNode } from "./world.ts";

/**
 * One thread of a node: takes what waits for it in turns, and is busy for a while after each.
 *
 * What it is told is plain data. What waits is lost when it ends.
 */
export interface Thread<Input> {
  readonly node: SimNode;
  readonly name: "main" | "coordinator";
  isAlive: boolean;
  inbox: Input[];
  isTurnDue: boolean;
  /** Until when its last turn lasts; µs. */
  busyUntil: number;
  /** Does nothing before then, though its machine goes on; µs. */
  hungUntil: number;
  /** Those that are armed, by key. */
  readonly timers: Map<string, Timer>;
}

/** A deadline of a thread, on its node's clock. Void when the thread's table has another of its key, or none. */
export interface Timer {
  readonly thread: Thread<never>;
  readonly key: string;
}
