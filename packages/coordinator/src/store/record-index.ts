import { HalonError } from "@halon/protocol";
import type { Engine, Slot } from "./engine.ts";
import type { StoredRecord } from "./port.ts";
import { badSlot, decodeSlot } from "./slot.ts";
import { loadSnapshot } from "./snapshot.ts";

/** Where a record stands: its head, and how many parts are directly before it. */
export interface Place {
  readonly position: number;
  readonly parts: number;
}

/** Which slots make which record: what was learned from the engine's slots so far. */
export class RecordIndex {
  readonly #engine: Engine;
  /** Places of the records from `#firstIndex` on. */
  #places: Place[] = [];
  #firstIndex = 1;
  #nextPosition = 0;
  /** Parts directly before `#nextPosition` that a head may still take. */
  #openParts = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The index of the next record. */
  get next(): number {
    return this.#firstIndex + this.#places.length;
  }

  get nextPosition(): number {
    return this.#nextPosition;
  }

  /** The last record that a snapshot has replaced, 0 when there is none. */
  get snapshotIndex(): number {
    return this.#firstIndex - 1;
  }

  place(index: number): Place | undefined {
    return this.#places[index - this.#firstIndex];
  }

  /** Learns of all slots committed by now. */
  catchUp(): Promise<void> {
    const caughtUp = this.#turn.then(() => this.#learn());
    this.#turn = caughtUp.catch(() => undefined);
    return caughtUp;
  }

  /** Forgets the records up to `index`: a snapshot has them. */
  drop(index: number): void {
    if (index < this.#firstIndex) return;
    this.#places.splice(0, index - this.#firstIndex + 1);
    this.#firstIndex = index + 1;
  }

  refuseDropped(from: number): void {
    if (from >= this.#firstIndex) return;
    throw new HalonError(
      "HAL_NOT_FOUND",
      `Record ${from} is not held any more: a snapshot has replaced the records up to ${this.snapshotIndex}. Load it and read from ${this.#firstIndex}.`,
      { details: { from, first: this.#firstIndex } },
    );
  }

  /** Puts a committed record together. */
  async load(
    index: number,
    slotAt: (position: number) => Promise<Slot | undefined>,
  ): Promise<StoredRecord> {
    // A reader that dawdles is overtaken by snapshots.
    this.refuseDropped(index);
    const place = this.place(index);
    if (place === undefined) throw new RangeError(`record ${index} is not committed`);
    const content: Uint8Array[] = [];
    let epoch = 0;
    for (let position = place.position - place.parts; position <= place.position; position++) {
      const slot = await slotAt(position);
      if (slot === undefined) {
        this.refuseDropped(index);
        throw badSlot(position, "the engine does not hold it any more");
      }
      content.push(decodeSlot(slot).data);
      epoch = slot.epoch;
    }
    const [only] = content;
    const data = only !== undefined && content.length === 1 ? only : Buffer.concat(content);
    return { index, epoch, data };
  }

  async #learn(): Promise<void> {
    // At the start, and when another handle has dropped slots that this one had not seen.
    if (this.#nextPosition < this.#engine.firstPosition) await this.#begin();
    for (;;) {
      const slots = await this.#engine.read(this.#nextPosition);
      if (slots.length === 0) return;
      for (const slot of slots) this.#take(slot);
    }
  }

  async #begin(): Promise<void> {
    const snapshot = await loadSnapshot(this.#engine);
    if (snapshot !== undefined) {
      const { index } = snapshot;
      if (index >= this.next) {
        this.#places = [];
        this.#firstIndex = index + 1;
      } else {
        this.drop(index);
      }
    }
    this.#nextPosition = this.#engine.firstPosition;
    this.#openParts = 0;
  }

  #take(slot: Slot): void {
    const { kind, index, number } = decodeSlot(slot);
    this.#nextPosition = slot.position + 1;
    if (kind === "part") {
      this.#openParts += 1;
      return;
    }
    const parts = this.#openParts;
    this.#openParts = 0;
    // What the snapshot covers may still be there, in part.
    if (index <= this.snapshotIndex) return;
    if (index !== this.next) {
      throw badSlot(slot.position, `expected record ${this.next}, found ${index}`);
    }
    if (number > parts) {
      throw badSlot(slot.position, `expected ${number} parts before it, found ${parts}`);
    }
    this.#places.push({ position: slot.position, parts: number });
  }
}
