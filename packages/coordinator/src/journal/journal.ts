/** A committed record as the journal keeps it. */
export interface JournalEntry {
  readonly index: number;
  /** SHA-256, in hex, of the hash before it, the index, the wall time and the data. */
  readonly hash: string;
  /** Milliseconds since 1970, as the record says. */
  readonly wallTime: number;
  readonly data: Uint8Array;
}

export interface JournalOptions {
  readonly dir: string;
  /** Oldest segments go while all of them together are larger than this. */
  readonly maxBytes: number;
  /** Segments whose entries are all older than this go. */
  readonly maxAgeMs: number;
  /** Wall time in milliseconds since 1970. */
  readonly now: () => number;
}

export interface JournalRange {
  readonly from: number;
  /** Inclusive; the last entry when left out. */
  readonly to?: number;
  /** At most this many entries. */
  readonly limit: number;
}

/**
 * Committed records on disk, for people who ask what happened.
 *
 * Nothing is fsynced per record: after a crash the tail is read from the store again, from `lastIndex + 1` on.
 */
export interface Journal {
  /** The oldest entry kept, 0 when there is none. */
  readonly firstIndex: number;
  /** The newest entry taken, 0 when there is none. */
  readonly lastIndex: number;
  /** Bytes that were cut off the end when it was opened. */
  readonly cutBytes: number;
  /**
   * Takes the next record; it is written within 50 ms. One that is there already is passed over. One that leaves
   * a gap, because the store no longer had those between, begins a new chain. Throws `HAL_STORE_FAILED` after
   * a write was refused.
   */
  append(index: number, data: Uint8Array, wallTime: number): void;
  /** Entries of the range that are kept, in order. */
  read(range: JournalRange): Promise<readonly JournalEntry[]>;
  /** Checks the chain of every segment; throws `HAL_STORE_DAMAGED`, naming the segment and what to do. */
  verify(): Promise<{ readonly segments: number; readonly entries: number }>;
  /** Resolves when everything taken has been handed to the kernel. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
