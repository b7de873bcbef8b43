import { type Entry, entryKind } from "@halon/raft";

/** One place of the host's log. `epoch` is the term of the entry that holds it. */
export interface HostSlot {
  /** From 1, without a gap. */
  readonly position: number;
  readonly epoch: number;
  readonly data: Uint8Array;
}

/** What a snapshot holds of the host's log: the host's state as of `base`, and the slots after it. */
export interface Records {
  /** Position of the host's state; 0 when the host has none. */
  readonly base: number;
  /** From `base + 1` on. */
  readonly slots: readonly HostSlot[];
}

export const noRecords: Records = { base: 0, slots: [] };

/** The host's log as far as it is applied, from the host's last snapshot on. Of one owner, changed in place. */
export class HostRecords {
  #base: number;
  #slots: HostSlot[];
  #installs = 0;

  constructor({ base, slots }: Records) {
    this.#base = base;
    this.#slots = [...slots];
  }

  /** Position of the host's state in the newest snapshot. */
  get base(): number {
    return this.#base;
  }

  /** Snapshots of other members that took the place of what was here. */
  get installs(): number {
    return this.#installs;
  }

  /** Of the last slot that is applied; `base` when there is none after it. */
  get lastPosition(): number {
    return this.#base + this.#slots.length;
  }

  /** Takes the next slot: what an entry of a record holds after its kind. */
  add(entry: Entry): void {
    const data = entry.data.subarray(1);
    this.#slots.push({ position: this.lastPosition + 1, epoch: entry.term, data });
  }

  /** Slots from `from` on, of at most `bytesMax` together, but at least one if it is held. */
  read(from: number, bytesMax: number): readonly HostSlot[] {
    const start = from - this.#base - 1;
    if (start < 0) return [];
    let end = start;
    for (let bytes = 0; end < this.#slots.length; end++) {
      bytes += this.#slots[end]?.data.length ?? 0;
      if (end > start && bytes > bytesMax) break;
    }
    return this.#slots.slice(start, end);
  }

  /** What a snapshot with the host's state as of `base` must hold. */
  since(base: number): Records {
    return { base, slots: this.#slots.slice(base - this.#base) };
  }

  /** The slots up to `base` are in the host's state, which a snapshot holds durably. */
  dropTo(base: number): void {
    this.#slots = this.#slots.slice(base - this.#base);
    this.#base = base;
  }

  /** They came with a snapshot. */
  install({ base, slots }: Records): void {
    this.#installs += 1;
    this.#base = base;
    this.#slots = [...slots];
  }
}

/** An entry for one slot. */
export function recordOf(data: Uint8Array): Uint8Array {
  const entry = new Uint8Array(data.length + 1);
  entry[0] = entryKind.record;
  entry.set(data, 1);
  return entry;
}
