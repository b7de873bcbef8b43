import type { Json, Overflow } from "@halon/protocol";

const none = -1;
const firstRoom = 16;

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
 * The windows of one matcher, by key, with their numbers side by side in one array.
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
  #touchedAt = new Float64Array(firstRoom);
  #older = new Int32Array(firstRoom).fill(none);
  #newer = new Int32Array(firstRoom).fill(none);
  #oldest = none;
  #newest = none;
  #numbers: Float64Array;
  #dropped = 0;
  #refused = 0;

  constructor(options: WindowsOptions) {
    this.#options = options;
    this.#numbers = new Float64Array(firstRoom * options.width);
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
    return this.#numbers[slot * this.#options.width + position] ?? 0;
  }

  set(slot: number, position: number, value: number): void {
    this.#numbers[slot * this.#options.width + position] = value;
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
    const { width } = this.#options;
    this.#numbers.fill(0, slot * width, (slot + 1) * width);
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
    const { width } = this.#options;
    for (let slot = this.#oldest; slot !== none; slot = this.#newer[slot] ?? none) {
      const numbers = [...this.#numbers.subarray(slot * width, (slot + 1) * width)];
      const kept = this.#kept[slot];
      const window = [this.keyOf(slot), this.#touchedAt[slot] ?? 0, numbers] as const;
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
    while (this.#oldest !== none && (this.#touchedAt[this.#oldest] ?? 0) + idleMs < at)
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
    const before = this.#touchedAt.length;
    if (slot < before) return slot;
    const { width } = this.#options;
    // By half: there may be a million, and what is not used is memory all the same.
    const room = before + (before >> 1);
    this.#touchedAt = enlarged(this.#touchedAt, new Float64Array(room));
    this.#older = enlarged(this.#older, new Int32Array(room).fill(none));
    this.#newer = enlarged(this.#newer, new Int32Array(room).fill(none));
    this.#numbers = enlarged(this.#numbers, new Float64Array(room * width));
    return slot;
  }

  #touch(slot: number, at: number): void {
    if (slot === this.#newest) {
      this.#touchedAt[slot] = at;
      return;
    }
    this.#unlink(slot);
    this.#link(slot, at);
  }

  #link(slot: number, at: number): void {
    this.#touchedAt[slot] = at;
    this.#older[slot] = this.#newest;
    this.#newer[slot] = none;
    if (this.#newest === none) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  #unlink(slot: number): void {
    const older = this.#older[slot] ?? none;
    const newer = this.#newer[slot] ?? none;
    if (older === none) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === none) this.#newest = older;
    else this.#older[newer] = older;
  }
}

function enlarged<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
