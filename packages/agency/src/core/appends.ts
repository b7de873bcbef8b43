import { Queue } from "./queue.ts";

/** What comes of an append to the host's log; every one ends in one of these. */
export type AppendAnswer =
  | { readonly type: "committed" }
  /** This member does not lead under that epoch; nothing was proposed. */
  | { readonly type: "fenced"; readonly epoch: number }
  /** The position is not the next one; nothing was proposed. */
  | { readonly type: "conflict" }
  /** Consensus takes nothing just now; nothing was proposed. */
  | { readonly type: "busy" }
  /** Leadership ended while it waited: whether it is committed is not known. */
  | { readonly type: "lostLeadership" };

/**
 * Appends of one leadership that wait for their commit.
 *
 * They have no time-out: consensus ends a leadership without a majority. Their number is bounded by what consensus
 * takes before it is committed.
 */
export class Appends {
  /** Position of the next slot, what is on its way included; null before the leadership is open. */
  #next: number | null = null;
  readonly #waiting = new Queue<{ readonly id: number; readonly index: number }>();

  get count(): number {
    return this.#waiting.length;
  }

  get next(): number | null {
    return this.#next;
  }

  /** Begins after the last slot that is committed. */
  open(lastPosition: number): void {
    this.#next = lastPosition + 1;
  }

  /** The append `id` is in the entry at `index` and has the next position. */
  proposed(id: number, index: number): void {
    if (this.#next === null) throw new Error("an append before the leadership is open");
    this.#next += 1;
    this.#waiting.push({ id, index });
  }

  /** Takes those in entries up to `index`. */
  takeApplied(index: number): readonly number[] {
    const done: number[] = [];
    while ((this.#waiting.peek()?.index ?? Infinity) <= index) {
      const waiter = this.#waiting.shift();
      if (waiter !== undefined) done.push(waiter.id);
    }
    return done;
  }

  takeAll(): readonly number[] {
    return this.#waiting.drain().map(({ id }) => id);
  }
}
