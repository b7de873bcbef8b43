import { toErrorData } from "@halon/protocol";
import type { Store } from "../store/port.ts";
import type { Journal } from "./journal.ts";

/** Records that the journal lacks and the store has no more. */
export interface JournalGap {
  readonly from: number;
  readonly to: number;
}

export interface FedRecord {
  readonly index: number;
  readonly data: Uint8Array;
}

export interface JournalFeedListener {
  gap(gap: JournalGap): void;
  /** The store or the journal cannot be used; nothing more is kept. */
  failed(error: unknown): void;
}

/**
 * Hands the records of the store to the journal, each once, in order.
 *
 * Where a snapshot from elsewhere has replaced records that the journal lacks, it tells the gap and waits: others may have
 * them. What is committed meanwhile is read from the store afterwards, and nothing is held back in memory.
 */
export class JournalFeed {
  readonly #journal: Journal;
  readonly #store: Store;
  readonly #wallTimeOf: (data: Uint8Array) => number;
  readonly #listener: JournalFeedListener;
  #phase: "even" | "reading" | "gap" | "closed" = "even";
  #gap: JournalGap | undefined;
  /** The newest record committed, as far as was told. */
  #newest = 0;
  /** The last record that is in the journal or missing for good. */
  #done: number;
  #reading: Promise<void> = Promise.resolve();

  constructor(
    options: {
      readonly journal: Journal;
      readonly store: Store;
      readonly wallTimeOf: (data: Uint8Array) => number;
    },
    listener: JournalFeedListener,
  ) {
    this.#journal = options.journal;
    this.#store = options.store;
    this.#wallTimeOf = options.wallTimeOf;
    this.#listener = listener;
    this.#done = options.journal.lastIndex;
  }

  /** All up to `index` is committed; the journal gets what it lacks. */
  reach(index: number): void {
    this.#newest = Math.max(this.#newest, index);
    if (this.#phase === "even" && this.#done < this.#newest) this.#readStore();
  }

  /** The next record was committed. */
  take(index: number, data: Uint8Array, wallTime: number): void {
    this.#newest = Math.max(this.#newest, index);
    if (this.#phase !== "even") return;
    if (index === this.#done + 1) this.#keep(index, data, wallTime);
    else if (index > this.#done) this.#readStore();
  }

  /** Some records of the gap; those that were passed over are missing for good. */
  fill(records: readonly FedRecord[]): void {
    const gap = this.#gap;
    if (gap === undefined) return;
    for (const { index, data } of records) {
      if (index > this.#done && index <= gap.to) this.#keep(index, data, this.#wallTimeOf(data));
    }
    if (this.#done >= gap.to) this.#leave(gap);
  }

  /** Nobody has the rest of the gap. */
  gapStays(): void {
    if (this.#gap !== undefined) this.#leave(this.#gap);
  }

  /** Resolves when it does not read the store, so that records may leave that. */
  async idle(): Promise<void> {
    await this.#reading;
  }

  close(): void {
    this.#phase = "closed";
    this.#gap = undefined;
  }

  #keep(index: number, data: Uint8Array, wallTime: number): void {
    this.#journal.append(index, data, wallTime);
    this.#done = index;
  }

  #leave(gap: JournalGap): void {
    this.#gap = undefined;
    this.#done = Math.max(this.#done, gap.to);
    this.#readStore();
  }

  #readStore(): void {
    this.#phase = "reading";
    this.#reading = this.#catchUp().catch((error) => {
      if (this.#phase === "closed") return;
      this.#phase = "closed";
      this.#listener.failed(error);
    });
  }

  async #catchUp(): Promise<void> {
    while (this.#phase === "reading" && this.#done < this.#newest) {
      try {
        for await (const { index, data } of this.#store.read(this.#done + 1)) {
          if (this.#phase !== "reading") return;
          this.#keep(index, data, this.#wallTimeOf(data));
        }
      } catch (error) {
        if (toErrorData(error).code !== "HAL_NOT_FOUND") throw error;
        const to = (await this.#store.loadSnapshot())?.index ?? 0;
        // Else the snapshot is older than what was asked for: the store has changed meanwhile.
        if (this.#phase === "reading" && to > this.#done) return this.#wait(to);
      }
    }
    if (this.#phase === "reading") this.#phase = "even";
  }

  #wait(to: number): void {
    this.#phase = "gap";
    this.#gap = { from: this.#done + 1, to };
    this.#listener.gap(this.#gap);
  }
}
