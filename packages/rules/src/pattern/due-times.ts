import { compareText } from "@halon/protocol";

interface Due {
  readonly due: number;
  readonly key: string;
  readonly slot: number;
  /** Tells it from what was armed for the same slot later. */
  readonly order: number;
}

/** What is due when, of the windows of one matcher. Equal times come in the order of their keys. */
export class DueTimes {
  /** A heap; what was armed anew since stays in it and counts for nothing. */
  readonly #heap: Due[] = [];
  readonly #armed = new Map<number, number>();
  #order = 0;

  /** Infinite when nothing is armed. */
  get first(): number {
    this.#dropStale();
    return this.#heap[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  arm(slot: number, key: string, due: number): void {
    this.#order += 1;
    this.#armed.set(slot, this.#order);
    this.#heap.push({ due, key, slot, order: this.#order });
    this.#rise(this.#heap.length - 1);
    // What was armed anew many times must not pile up.
    if (this.#heap.length > 64 && this.#heap.length > 4 * this.#armed.size) this.#rebuild();
  }

  disarm(slot: number): void {
    this.#armed.delete(slot);
  }

  /** Takes the first that is due at `now` or before; -1 when none is. */
  take(now: number): number {
    this.#dropStale();
    const first = this.#heap[0];
    if (first === undefined || first.due > now) return -1;
    this.#pop();
    this.#armed.delete(first.slot);
    return first.slot;
  }

  #dropStale(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#armed.get(first.slot) === first.order) return;
      this.#pop();
    }
  }

  #rebuild(): void {
    const live = this.#heap.filter(({ slot, order }) => this.#armed.get(slot) === order);
    this.#heap.length = 0;
    for (const item of live) {
      this.#heap.push(item);
      this.#rise(this.#heap.length - 1);
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < this.#heap.length && this.#isBefore(child, least)) least = child;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const one = this.#heap[a];
    const other = this.#heap[b];
    if (one === undefined || other === undefined) return false;
    return one.due === other.due ? compareText(one.key, other.key) < 0 : one.due < other.due;
  }

  #swap(a: number, b: number): void {
    const one = this.#heap[a];
    const other = this.#heap[b];
    if (one === undefined || other === undefined) return;
    this.#heap[a] = other;
    this.#heap[b] = one;
  }
}
