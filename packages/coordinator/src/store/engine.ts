/** One place of an engine's log: a record, or a part of one. */
export interface Slot {
  readonly position: number;
  readonly epoch: number;
  readonly data: Uint8Array;
}

export type SlotAppended =
  | { readonly type: "committed" }
  | { readonly type: "fenced"; readonly epoch: number }
  | { readonly type: "conflict" };

export interface EngineSnapshot {
  readonly position: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Data of one slot: a part of a record and its header. */
export const slotBytesMax = 1024 * 1024 + 64;

/**
 * What a place to keep the decision log must do; `storeOf` makes a `Store` of it.
 *
 * An engine numbers slots by position from 1 without a gap, and knows nothing of records. Opening it fences all
 * earlier epochs before it gives its own.
 */
export interface Engine {
  readonly epoch: number;
  /** The oldest slot that can still be read, or the next one to come. */
  readonly firstPosition: number;
  /**
   * Stores one slot of at most `slotBytesMax` and resolves when it survives a crash. Called for one slot at a
   * time. Rejects with `HAL_STORE_FAILED` when the outcome is unknown.
   */
  append(data: Uint8Array, at: { position: number; epoch: number }): Promise<SlotAppended>;
  /** Some committed slots from `from` on, at least one if there is one, in order. */
  read(from: number): Promise<readonly Slot[]>;
  /** Calls `listener` after slots were committed, by any handle. The answer ends it. */
  onCommit(listener: () => void): () => void;
  /** Durable when it resolves. It replaces an older snapshot and drops no slot. */
  saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  loadSnapshot(): Promise<EngineSnapshot | undefined>;
  /** The slots up to `position` are covered by the snapshot; some or all of them may be dropped. */
  compactTo(position: number): Promise<void>;
  close(): Promise<void>;
}
