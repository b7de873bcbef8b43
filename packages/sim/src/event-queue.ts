const firstCapacity = 1024;

/**
 * Events in the order of (time, number of the push): a binary heap over parallel arrays.
 *
 * No object is made for an event. `pop` moves to the next one, which the fields then hold until the next `pop`.
 */
export class EventQueue<Payload> {
  /** The event popped last. `time` in µs; what `kind`, `a` and `b` mean is the owner's. */
  time = 0;
  kind = 0;
  a = 0;
  b = 0;
  payload: Payload | null = null;
  size = 0;

  private pushes = 0;
  private heap = new Int32Array(firstCapacity);
  private times = new Float64Array(firstCapacity);
  private numbers = new Float64Array(firstCapacity);
  private kinds = new Uint8Array(firstCapacity);
  private as = new Int32Array(firstCapacity);
  private bs = new Int32Array(firstCapacity);
  private payloads: (Payload | null)[] = [];
  private free: number[] = [];

  push(time: number, kind: number, a: number, b: number, payload: Payload | null): void {
    const slot = this.free.pop() ?? this.size;
    if (slot >= this.times.length) this.grow();
    this.times[slot] = time;
    this.numbers[slot] = this.pushes++;
    this.kinds[slot] = kind;
    this.as[slot] = a;
    this.bs[slot] = b;
    this.payloads[slot] = payload;
    this.siftUp(this.size++, slot);
  }

  /** False when no event is left. */
  pop(): boolean {
    if (this.size === 0) return false;
    const slot = this.heap[0] ?? 0;
    this.time = this.times[slot] ?? 0;
    this.kind = this.kinds[slot] ?? 0;
    this.a = this.as[slot] ?? 0;
    this.b = this.bs[slot] ?? 0;
    this.payload = this.payloads[slot] ?? null;
    this.payloads[slot] = null;
    this.free.push(slot);
    const last = this.heap[--this.size] ?? 0;
    if (this.size > 0) this.siftDown(last);
    return true;
  }

  private isBefore(left: number, right: number): boolean {
    const difference = (this.times[left] ?? 0) - (this.times[right] ?? 0);
    if (difference !== 0) return difference < 0;
    return (this.numbers[left] ?? 0) < (this.numbers[right] ?? 0);
  }

  private siftUp(from: number, slot: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.heap[parent] ?? 0;
      if (!this.isBefore(slot, above)) break;
      this.heap[at] = above;
      at = parent;
    }
    this.heap[at] = slot;
  }

  private siftDown(slot: number): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.size) break;
      const right = child + 1;
      if (right < this.size && this.isBefore(this.heap[right] ?? 0, this.heap[child] ?? 0))
        child = right;
      const below = this.heap[child] ?? 0;
      if (!this.isBefore(below, slot)) break;
      this.heap[at] = below;
      at = child;
    }
    this.heap[at] = slot;
  }

  private grow(): void {
    const capacity = this.times.length * 2;
    this.heap = widen(this.heap, new Int32Array(capacity));
    this.times = widen(this.times, new Float64Array(capacity));
    this.numbers = widen(this.numbers, new Float64Array(capacity));
    this.kinds = widen(this.kinds, new Uint8Array(capacity));
    this.as = widen(this.as, new Int32Array(capacity));
    this.bs = widen(this.bs, new Int32Array(capacity));
  }
}

function widen<T extends Int32Array | Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
