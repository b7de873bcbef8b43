import { HalonError } from "@halon/protocol";
import type { Engine, Slot } from "./engine.ts";
import type { StoredRecord } from "./port.ts";
import { badSlot, decodeSlot } from "./slot.ts";
import { loadSnapshot } from "./snapshot.ts";

/** How long a snapshot may take to follow the news that slots were dropped. */
const snapshotWaitMs = 20;
const snapshotWaitsMax = 250;

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
    return this.#inTurn(() => this.#learn());
  }

  /** Learns of a slot that was just committed, without reading it again. */
  committed(slot: Slot): Promise<void> {
    return this.#inTurn(async () => {
      if (slot.position === this.#nextPosition) this.#take(slot);
    });
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
        await this.catchUp();
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

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #learn(): Promise<void> {
    // At the start, and when slots that this handle had not seen were replaced by a snapshot from elsewhere.
    if (this.#nextPosition < this.#engine.firstPosition) await this.#begin();
    else this.#forgetDropped();
    for (;;) {
      const slots = await this.#engine.read(this.#nextPosition);
      if (slots.length === 0) return;
      for (const slot of slots) this.#take(slot);
    }
  }

  async #begin(): Promise<void> {
    const { position, index } = await this.#newestSnapshot();
    this.#places = [];
    this.#firstIndex = index + 1;
    // Slots before it may still be there; they are of no use without those that are not.
    this.#nextPosition = position + 1;
    this.#openParts = 0;
  }

  /** The snapshot that goes with the oldest slot held; what an engine tells of the two may be apart for a moment. */
  async #newestSnapshot(): Promise<{ readonly position: number; readonly index: number }> {
    for (let waits = 0; ; waits++) {
      const snapshot = await loadSnapshot(this.#engine);
      const found = snapshot ?? { position: 0, index: 0 };
      if (found.position + 1 >= this.#engine.firstPosition) return found;
      if (waits === snapshotWaitsMax) {
        const message = `The store holds slots from ${this.#engine.firstPosition} on, and no snapshot of those before; the newest is of ${found.position}.`;
        throw new HalonError("HAL_STORE_FAILED", message);
      }
      await new Promise((resolve) => setTimeout(resolve, snapshotWaitMs));
    }
  }

  /** Another handle has saved a snapshot and dropped slots: their records are not held any more. */
  #forgetDropped(): void {
    const { firstPosition } = this.#engine;
    let dropped = 0;
    for (const { position, parts } of this.#places) {
      if (position - parts >= firstPosition) break;
      dropped += 1;
    }
    if (dropped > 0) this.drop(this.#firstIndex + dropped - 1);
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
