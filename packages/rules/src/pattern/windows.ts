import type { Json, Overflow } from "@halon/protocol";

const none = -1;
const firstRoom = 16;
/** Of a window's place: when it was touched, and the two neighbours in that order, of 32 bits each. */
const headWidth = 2;

export interface WindowsOptions {
  /** Numbers of each window. */
  readonly width: number;
  readonly keysMax: number;
  readonly overflow: Overflow;
  /** A window that nobody touched for longer is as none; infinite where it ends by itself. */
  readonly idleMs: number;
  /** There was no room for it any more; it is still open. */
  readonly dropping?: (slot: number) => void;
}

/** One window as it is saved: key, when it was touched last, its numbers, and what it keeps. */
export type SavedWindow = readonly [
  key: string,
  touchedAt: number,
  numbers: readonly number[],
  kept?: Json,
];

/**
 * The windows of one matcher, by key, each with all its numbers side by side: with many keys, each other place is a miss of the cache.
 *
 * A window is a small number, its slot. Windows stand in the order in which they were touched; those that have been idle
 * for too long are closed from that end, so each is looked at once.
 */
export class Windows {
  readonly #options: WindowsOptions;
  readonly #slots = new Map<string, number>();
  readonly #keys: string[] = [];
  readonly #free: number[] = [];
  /** By slot; empty in patterns that keep nothing. */
  readonly #kept: (Json | undefined)[] = [];
  #oldest = none;
  #newest = none;
  readonly #stride: number;
  #numbers: Float64Array;
  /** The same memory. */
  #neighbours: Int32Array;
  #dropped = 0;
  #refused = 0;

  constructor(options: WindowsOptions) {
    this.#options = options;
    this.#stride = headWidth + options.width;
    this.#numbers = new Float64Array(firstRoom * this.#stride);
    this.#neighbours = new Int32Array(this.#numbers.buffer);
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Windows that were closed because there was no room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Keys that were not taken because there was no room. */
  get refused(): number {
    return this.#refused;
  }

  /** The window of the key, -1 when there is none. */
  find(key: string): number {
    return this.#slots.get(key) ?? none;
  }

  /** The window of the key, opened with zeros when there is none and touched; -1 when there is no room. */
  open(key: string, at: number): number {
    this.#closeIdle(at);
    const known = this.#slots.get(key);
    if (known !== undefined) {
      this.#touch(known, at);
      return known;
    }
    if (this.#slots.size >= this.#options.keysMax) {
      if (this.#options.overflow === "refuse") {
        this.#refused += 1;
        return none;
      }
      this.#dropped += 1;
      this.#options.dropping?.(this.#oldest);
      this.close(this.#oldest);
    }
    return this.#add(key, at);
  }

  keyOf(slot: number): string {
    return this.#keys[slot] ?? "";
  }

  isOpen(slot: number): boolean {
    const key = this.#keys[slot];
    return key !== undefined && this.#slots.get(key) === slot;
  }

  get(slot: number, position: number): number {
    return this.#numbers[slot * this.#stride + headWidth + position] ?? 0;
  }

  set(slot: number, position: number, value: number): void {
    this.#numbers[slot * this.#stride + headWidth + position] = value;
  }

  kept(slot: number): Json | undefined {
    return this.#kept[slot];
  }

  keep(slot: number, value: Json): void {
    // Without holes: an array with holes is a slow one.
    while (this.#kept.length < slot) this.#kept.push(undefined);
    this.#kept[slot] = value;
  }

  /** Sets all of its numbers back to zero. */
  clear(slot: number): void {
    const end = (slot + 1) * this.#stride;
    for (let at = slot * this.#stride + headWidth; at < end; at += 1) this.#numbers[at] = 0;
    if (slot < this.#kept.length) this.#kept[slot] = undefined;
  }

  close(slot: number): void {
    this.#slots.delete(this.keyOf(slot));
    this.#unlink(slot);
    this.clear(slot);
    this.#keys[slot] = "";
    this.#free.push(slot);
  }

  /** In the order in which they were touched. */
  save(): SavedWindow[] {
    const saved: SavedWindow[] = [];
    const stride = this.#stride;
    for (let slot = this.#oldest; slot !== none; slot = this.#newer(slot)) {
      const numbers = [...this.#numbers.subarray(slot * stride + headWidth, (slot + 1) * stride)];
      const kept = this.#kept[slot];
      const window = [this.keyOf(slot), this.#touchedAt(slot), numbers] as const;
      saved.push(kept === undefined ? window : [...window, kept]);
    }
    return saved;
  }

  /** Into windows of which none is open. */
  load(saved: readonly SavedWindow[]): void {
    for (const [key, touchedAt, numbers, kept] of saved) {
      const slot = this.#add(key, touchedAt);
      for (const [position, value] of numbers.entries()) this.set(slot, position, value);
      if (kept !== undefined) this.keep(slot, kept);
    }
  }

  #closeIdle(at: number): void {
    const { idleMs } = this.#options;
    while (this.#oldest !== none && this.#touchedAt(this.#oldest) + idleMs < at)
      this.close(this.#oldest);
  }

  #add(key: string, at: number): number {
    const slot = this.#free.pop() ?? this.#grown();
    this.#slots.set(key, slot);
    this.#keys[slot] = key;
    this.#link(slot, at);
    return slot;
  }

  #grown(): number {
    const slot = this.#keys.length;
    const before = this.#numbers.length / this.#stride;
    if (slot < before) return slot;
    // By half: there may be a million, and what is not used is memory all the same.
    const numbers = new Float64Array((before + (before >> 1)) * this.#stride);
    // From an array of the same kind bytes are copied, so that neighbours, which are no doubles, stay what they are.
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    this.#neighbours = new Int32Array(numbers.buffer);
    return slot;
  }

  #touch(slot: number, at: number): void {
    if (slot === this.#newest) {
      this.#numbers[slot * this.#stride] = at;
      return;
    }
    this.#unlink(slot);
    this.#link(slot, at);
  }

  #link(slot: number, at: number): void {
    this.#numbers[slot * this.#stride] = at;
    this.#setOlder(slot, this.#newest);
    this.#setNewer(slot, none);
    if (this.#newest === none) this.#oldest = slot;
    else this.#setNewer(this.#newest, slot);
    this.#newest = slot;
  }

  #unlink(slot: number): void {
    const older = this.#older(slot);
    const newer = this.#newer(slot);
    if (older === none) this.#oldest = newer;
    else this.#setNewer(older, newer);
    if (newer === none) this.#newest = older;
    else this.#setOlder(newer, older);
  }

  #touchedAt(slot: number): number {
    return this.#numbers[slot * this.#stride] ?? 0;
  }

  #older(slot: number): number {
    return this.#neighbours[2 * slot * this.#stride + 2] ?? none;
  }

  #newer(slot: number): number {
    return this.#neighbours[2 * slot * this.#stride + 3] ?? none;
  }

  #setOlder(slot: number, older: number): void {
    this.#neighbours[2 * slot * this.#stride + 2] = older;
  }

  #setNewer(slot: number, newer: number): void {
    this.#neighbours[2 * slot * this.#stride + 3] = newer;
  }
}
