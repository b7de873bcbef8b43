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
 * What a place to keep the decision log must do; `storeOf` makes a `Store` of it (rfc/0006).
 *
 * An engine numbers slots by position from 1 without a gap, and knows nothing of records. It is opened by every
 * tracking node, and can be read from then on; one of them owns it at a time.
 */
export interface Engine {
  /** Under which this handle owns the store; 0 before `lead` has resolved, and it stays when ownership is lost. */
  readonly epoch: number;
  /** The oldest slot that can still be read, or the next one to come. */
  readonly firstPosition: number;
  /** Whether each handle keeps snapshots of its own; else the owner keeps them for all, and only it may save. */
  readonly snapshotsAreOwn: boolean;
  /** `host:port` of the node whose handle owns the store, as far as is known. */
  readonly owner: string | null;
  /** Called after `owner` has changed. The answer ends it. */
  onOwner(listener: () => void): () => void;
  /**
   * Resolves when this handle owns the store: all earlier epochs are fenced, and all that was committed under them can
   * be read here. May take for ever; rejects when the handle is closed. Once for each handle.
   */
  lead(): Promise<void>;
  /**
   * True when at some moment after the call this handle still owned the store; false when it did not. May reject or take
   * for ever.
   */
  confirm(): Promise<boolean>;
  /** Called once, when what `lead` gave is over, with the reason; nothing can be appended any more. */
  onLost(listener: (reason: string) => void): () => void;
  /**
   * Stores one slot of at most `slotBytesMax` and resolves when it survives a crash. Called for one slot at a
   * time. Rejects with `HAL_STORE_FAILED` when the outcome is unknown.
   */
  append(data: Uint8Array, at: { position: number; epoch: number }): Promise<SlotAppended>;
  /** Some committed slots from `from` on, at least one if there is one, in order. */
  read(from: number): Promise<readonly Slot[]>;
  /**
   * Calls `listener` after slots were committed, by any handle, and after `firstPosition` has moved past slots that were
   * never to be read here. The answer ends it.
   */
  onCommit(listener: () => void): () => void;
  /** Durable when it resolves. It replaces an older snapshot and drops no slot. */
  saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  loadSnapshot(): Promise<EngineSnapshot | undefined>;
  /** The slots up to `position` are covered by the snapshot; some or all of them may be dropped. */
  compactTo(position: number): Promise<void>;
  close(): Promise<void>;
}
