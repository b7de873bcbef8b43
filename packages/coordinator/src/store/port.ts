/** One committed record. `index` counts records from 1, without a gap. */
export interface StoredRecord {
  readonly index: number;
  readonly epoch: number;
  readonly data: Uint8Array;
}

/** Where an append must land: the next index, under the epoch that `open` gave. */
export interface AppendAt {
  readonly index: number;
  readonly epoch: number;
}

/**
 * How an append ended, when that is known.
 *
 * `fenced`: another epoch owns the store; nothing was stored, and nothing ever will be under the old one.
 * `conflict`: the index is not the next one; nothing was stored.
 */
export type Appended =
  | { readonly type: "committed"; readonly index: number }
  | { readonly type: "fenced"; readonly epoch: number }
  | { readonly type: "conflict"; readonly next: number };

/** The state that replaces the records up to and with `index`. */
export interface StoreSnapshot {
  readonly index: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** What is saved as a snapshot, in chunks of at most 1 MiB. */
export type SnapshotChunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * The decision log, whatever keeps it (rfc/0006).
 *
 * Every tracking node opens it, reads and follows it. One of them owns it at a time, under an epoch higher than every
 * earlier one, and appends one record at a time.
 */
export interface Store {
  /** Who may append: the number to put into `AppendAt` and into commands. 0 before `lead` has resolved. */
  readonly epoch: number;
  /** Whether each handle keeps snapshots of its own; else only the owner may save one. */
  readonly snapshotsAreOwn: boolean;
  /** `host:port` of the node that owns the store, as far as is known. */
  readonly owner: string | null;
  /** Called after `owner` has changed. The answer ends it. */
  onOwner(listener: () => void): () => void;
  /**
   * Resolves with the epoch when this handle owns the store, and with the index of the last record, which can be read
   * by then. May take for ever; rejects with HAL_STORE_FAILED when the store is closed. Once for each handle.
   */
  lead(): Promise<{ readonly epoch: number; readonly index: number }>;
  /**
   * True when at some moment after the call this handle still owned the store, so that no later epoch had begun by the
   * time of the call. False when it did not, or when that could not be found out within 1 s. Never rejects.
   */
  confirm(): Promise<boolean>;
  /** Called once when ownership has ended, with the reason. Open it anew to lead again. */
  onLost(listener: (reason: string) => void): () => void;
  /**
   * Stores one record of up to 256 MiB (`HAL_TOO_LARGE`) and resolves when it survives a crash.
   *
   * Rejects with `HAL_STORE_FAILED` when the outcome is unknown: the record may or may not be there, and only
   * reading the store again tells. A record is there as a whole or not at all.
   */
  append(data: Uint8Array, at: AppendAt): Promise<Appended>;
  /**
   * The records from `from` up to the last one committed when the end is reached, in order.
   *
   * Throws `HAL_NOT_FOUND` when a snapshot has replaced `from`.
   */
  read(from: number): AsyncIterable<StoredRecord>;
  /**
   * Calls `listener` once for every committed record from `from` on, in order, those of the past first; never
   * for a record that is not durable, and never before `follow` has returned. The listener must not throw.
   * Throws `HAL_NOT_FOUND` when a snapshot has replaced `from`. The answer ends it.
   *
   * `broken` is called once, and nothing after it, when a snapshot from elsewhere has replaced records that were not
   * given yet, or the store cannot be read: load the snapshot and follow from there.
   */
  follow(
    from: number,
    listener: (record: StoredRecord) => void,
    broken?: (error: unknown) => void,
  ): () => void;
  /**
   * Keeps a snapshot of a committed `index` and drops the records that it covers; durable when it resolves.
   *
   * Appends go on meanwhile. Followers get the dropped records first.
   */
  saveSnapshot(index: number, chunks: SnapshotChunks): Promise<void>;
  /** The newest snapshot. */
  loadSnapshot(): Promise<StoreSnapshot | undefined>;
  /** Followers end; an append that is under way is waited for. */
  close(): Promise<void>;
}
