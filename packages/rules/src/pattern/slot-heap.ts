const none = -1;
const firstRoom = 16;

/** Small numbers in an order that its owner knows: each at most once, the first at hand. Steps grow with the logarithm. */
export class SlotHeap {
  readonly #isBefore: (a: number, b: number) => boolean;
  #heap = new Int32Array(firstRoom);
  /** Of a slot: where in the heap it stands. */
  #places = new Int32Array(firstRoom).fill(none);
  #size = 0;

  /** `isBefore` is a total order; of a slot that is in the heap it changes just before `put` is called for it. */
  constructor(isBefore: (a: number, b: number) => boolean) {
    this.#isBefore = isBefore;
  }

  /** -1 when it is empty. */
  get first(): number {
    return this.#size === 0 ? none : this.#at(0);
  }

  /** Puts the slot where it belongs now, whether it was in the heap or not. */
  put(slot: number): void {
    if (slot >= this.#places.length) this.#places = enlarged(this.#places, slot + 1);
    let place = this.#places[slot] ?? none;
    if (place === none) {
      if (this.#size === this.#heap.length) this.#heap = enlarged(this.#heap, this.#size + 1);
      place = this.#size;
      this.#size += 1;
      this.#set(place, slot);
    }
    this.#rise(place);
    this.#sink(this.#places[slot] ?? place);
  }

  remove(slot: number): void {
    const place = this.#places[slot] ?? none;
    if (place === none) return;
    this.#places[slot] = none;
    this.#size -= 1;
    if (place === this.#size) return;
    const last = this.#at(this.#size);
    this.#set(place, last);
    this.#rise(place);
    this.#sink(this.#places[last] ?? place);
  }

  #at(place: number): number {
    return this.#heap[place] ?? none;
  }

  #set(place: number, slot: number): void {
    this.#heap[place] = slot;
    this.#places[slot] = place;
  }

  #rise(from: number): void {
    const slot = this.#at(from);
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const other = this.#at(parent);
      if (!this.#isBefore(slot, other)) break;
      this.#set(place, other);
      place = parent;
    }
    if (place !== from) this.#set(place, slot);
  }

  #sink(from: number): void {
    const slot = this.#at(from);
    let place = from;
    for (let child = 2 * place + 1; child < this.#size; child = 2 * place + 1) {
      const right = child + 1;
      if (right < this.#size && this.#isBefore(this.#at(right), this.#at(child))) child = right;
      const least = this.#at(child);
      if (!this.#isBefore(least, slot)) break;
      this.#set(place, least);
      place = child;
    }
    if (place !== from) this.#set(place, slot);
  }
}

/** Half as large again, and of at least `room`; what is new holds -1. */
function enlarged(from: Int32Array, room: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(Math.max(room, from.length + (from.length >> 1))).fill(none);
  to.set(from);
  return to;
}
