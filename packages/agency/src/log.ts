import type { LogFs } from "./log-fs.ts";
import type { OutgoingSnapshot } from "./snapshot-transfer.ts";

/** One entry of the log. Indexes are consecutive; a term never goes down from one entry to the next. */
export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

/** What a replica must not forget besides its entries (Raft §5.2). */
export interface HardState {
  readonly term: number;
  readonly votedFor: string | null;
}

/** Where a snapshot stands: it replaces the entries up to and with `index`, the last of `term`. */
export interface SnapshotPoint {
  readonly index: number;
  readonly term: number;
}

export interface Snapshot extends SnapshotPoint {
  /** The chunks as they were saved; a fault found while reading throws `HAL_STORE_DAMAGED`. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface LogOptions {
  /** Holds nothing but this log; made when missing. */
  readonly dir: string;
  readonly fs?: LogFs;
  /** A segment that has reached this size is followed by a new one. */
  readonly segmentBytes?: number;
  /** Called with `store.after-write` and `store.after-fsync` around each fsync of entries. */
  readonly failpoint?: (name: string) => void;
}

/**
 * A durable log of one owner.
 *
 * All entries from `firstIndex` are held in memory, so the owner bounds it by snapshots and `compactTo`.
 * Calls take effect in the order they are made. After one refused write or fsync the log has failed for good:
 * what waits and every later change rejects with `HAL_STORE_FAILED`, and nothing is written any more.
 */
export interface Log {
  /** The oldest entry held, or the next one to come when there is none. */
  readonly firstIndex: number;
  /** The newest entry taken, durable or not; `firstIndex - 1` when there is none. */
  readonly lastIndex: number;
  /** Term of the newest entry; of the snapshot when there is none; else 0. */
  readonly lastTerm: number;
  /** The newest entry that is certain to survive a crash. */
  readonly durableIndex: number;
  readonly hardState: HardState;
  /** The newest snapshot on disk. */
  readonly snapshot: SnapshotPoint | undefined;
  /** Bytes of the entries held. */
  readonly bytes: number;
  /**
   * The torn tail that was cut when the log was opened, up to its last byte that is not zero; it held nothing that
   * was acknowledged.
   */
  readonly cut: { readonly bytes: number; readonly atOffset: number } | undefined;
  /**
   * Takes entries that follow `lastIndex`; resolves when they are durable. All that wait share one fsync.
   *
   * A sync that would hold the calling thread longer than `holdMs` goes through the thread pool, as far as those
   * before it tell; 0.5 ms when left out.
   */
  append(entries: readonly Entry[], holdMs?: number): Promise<void>;
  /** Resolves when durable. */
  saveHardState(state: HardState): Promise<void>;
  /** Entries from `from` on, durable or not, at least one if there is one; both limits are inclusive. */
  read(
    from: number,
    limit?: { readonly entries?: number; readonly bytes?: number },
  ): readonly Entry[];
  /** Drops `index` and everything after it, because a leader has other entries there (Raft §5.3). */
  truncateFrom(index: number): Promise<void>;
  /**
   * Drops whole segments of entries up to `index`, which a snapshot must cover. An `index` beyond `lastIndex`
   * drops everything, and the log goes on after `index`.
   */
  compactTo(index: number): Promise<void>;
  /** Resolves when the snapshot is durable; older ones are removed. One at a time; appends go on meanwhile. */
  saveSnapshot(
    point: SnapshotPoint,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void>;
  loadSnapshot(): Snapshot | undefined;
  /** The file of the newest snapshot, to be sent in parts of any size; the caller closes it. */
  openSnapshot(): Promise<OutgoingSnapshot | undefined>;
  /** Keeps bytes of the file of another member's snapshot; offset 0 begins anew. Not durable. */
  receiveSnapshot(offset: number, data: Uint8Array): Promise<void>;
  /** The chunks of what was received; throws `HAL_STORE_DAMAGED` when it is not that snapshot, or not whole. */
  receivedSnapshot(point: SnapshotPoint): AsyncIterable<Uint8Array>;
  /**
   * Makes what was received the newest snapshot, durably. With `keepLog` the entries after it stay; else the log is
   * emptied and goes on after it.
   */
  installSnapshot(point: SnapshotPoint, keepLog: boolean): Promise<void>;
  /** Waits for what was asked before, then closes the files. */
  close(): Promise<void>;
}
