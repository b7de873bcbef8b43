import { compareText, type Json } from "@halon/protocol";

/** An event that is published when log time reaches `due` (ms). */
export interface Timer {
  readonly key: string;
  readonly due: number;
  readonly event: { readonly type: string; readonly data: Json };
}

/** Timers by key, and a heap of their due times whose outdated entries are dropped when they surface. */
export class Timers {
  readonly #byKey = new Map<string, Timer>();
  readonly #heap: Timer[] = [];

  get size(): number {
    return this.#byKey.size;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  get(key: string): Timer | undefined {
    return this.#byKey.get(key);
  }

  /** A timer of the same key is replaced. */
  arm(timer: Timer): void {
    this.#byKey.set(timer.key, timer);
    if (this.#heap.length > 2 * this.#byKey.size + 64) this.#compact();
    else this.#push(timer);
  }

  disarm(key: string): void {
    this.#byKey.delete(key);
  }

  /** The timer that is due first; of equal times the one whose key is smaller. */
  first(): Timer | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || this.#byKey.get(top.key) === top) return top;
      this.#pop();
    }
  }

  /** All timers, sorted by key. */
  toJSON(): Timer[] {
    return [...this.#byKey.values()].sort((a, b) => compareText(a.key, b.key));
  }

  /** A timer that is armed again and again, for a time that never comes, leaves an entry each time. */
  #compact(): void {
    const entries = [...this.#byKey.values()];
    this.#heap.length = 0;
    for (const entry of entries) this.#push(entry);
  }

  #push(entry: Timer): void {
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down(0);
  }

  #up(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfBefore(at, parent)) return;
      at = parent;
    }
  }

  #down(from: number): void {
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let first = at;
      if (this.#isBefore(left, first)) first = left;
      if (this.#isBefore(right, first)) first = right;
      if (first === at) return;
      this.#swapIfBefore(first, at);
      at = first;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const left = this.#heap[a];
    const right = this.#heap[b];
    if (left === undefined || right === undefined) return false;
    return (
      left.due - right.due < 0 || (left.due === right.due && compareText(left.key, right.key) < 0)
    );
  }

  #swapIfBefore(a: number, b: number): boolean {
    const left = this.#heap[a];
    const right = this.#heap[b];
    if (left === undefined || right === undefined || !this.#isBefore(a, b)) return false;
    this.#heap[a] = right;
    this.#heap[b] = left;
    return true;
  }
}
