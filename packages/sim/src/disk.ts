import type { Entry, HardState, Message, SnapshotMeta } from "@halon/raft";
import type { Prng } from "./prng.ts";
import type { CrashTail } from "./scenario.ts";

/** A snapshot with its bytes. */
export interface StoredSnapshot {
  readonly meta: SnapshotMeta;
  readonly bytes: Uint8Array;
}

/** One write that a member has begun. Writes become durable in order. */
export type DiskWrite =
  | {
      readonly type: "persist";
      readonly ticket: number;
      readonly hardState: HardState | null;
      readonly truncateFrom: number | null;
      readonly entries: readonly Entry[];
      readonly whenDurable: readonly Message[];
    }
  | {
      readonly type: "install";
      readonly snapshot: StoredSnapshot;
      readonly keepLog: boolean;
      readonly whenDurable: readonly Message[];
    }
  /** The member's own snapshot; `fails`: not all of it comes, and the one before it stays. */
  | { readonly type: "save"; readonly snapshot: StoredSnapshot; readonly fails: boolean }
  /** Entries before `firstIndex` go. */
  | { readonly type: "compact"; readonly firstIndex: number };

/** What a member's disk holds: what is durable, and the writes that are not yet. */
export interface Disk {
  hardState: HardState;
  snapshot: StoredSnapshot;
  /** Durable entries, without a gap. */
  entries: Entry[];
  /** Index of the first of `entries`, or of the next to come. */
  firstIndex: number;
  pending: DiskWrite[];
  /** When the last of `pending` is done; µs. */
  busyUntil: number;
  /** Bytes of a snapshot on its way; a crash loses them. */
  incoming: { readonly meta: SnapshotMeta; bytes: Uint8Array } | null;
  isFull: boolean;
  /** A record in the middle does not agree with its checksum: the member must not start. */
  isDamaged: boolean;
  slowness: number;
}

/** What a crash did to the writes that were under way. */
export interface CrashLoss {
  readonly lost: number;
  /** The last record was there in part and is cut at the next start. */
  readonly isTorn: boolean;
}

export function emptyDisk(snapshot: StoredSnapshot): Disk {
  return {
    hardState: { term: 0, votedFor: null },
    snapshot,
    entries: [],
    firstIndex: snapshot.meta.index + 1,
    pending: [],
    busyUntil: 0,
    incoming: null,
    isFull: false,
    isDamaged: false,
    slowness: 1,
  };
}

/** Index of the last durable entry; that of the snapshot when there is none after it. */
export function lastDurableIndex(disk: Disk): number {
  return disk.firstIndex + disk.entries.length - 1;
}

/** Whether the entry of this index and term is durable here, as itself or within the snapshot. */
export function holdsDurably(disk: Disk, index: number, term: number): boolean {
  const entry = disk.entries[index - disk.firstIndex];
  if (entry !== undefined) return entry.term === term;
  return index <= disk.snapshot.meta.index;
}

/** Makes one write durable, as a whole. */
export function applyWrite(disk: Disk, write: DiskWrite): void {
  switch (write.type) {
    case "persist":
      if (write.hardState !== null) disk.hardState = write.hardState;
      if (write.truncateFrom !== null) truncate(disk, write.truncateFrom);
      for (const entry of write.entries) append(disk, entry);
      return;
    case "install":
      disk.snapshot = write.snapshot;
      if (!write.keepLog) disk.entries = [];
      dropBefore(disk, write.snapshot.meta.index + 1);
      return;
    case "save":
      // A snapshot that was installed meanwhile is newer; one of the same index has a newer state of the host.
      if (!write.fails && write.snapshot.meta.index >= disk.snapshot.meta.index)
        disk.snapshot = write.snapshot;
      return;
    case "compact":
      if (write.firstIndex > disk.snapshot.meta.index + 1)
        throw new Error(`dropped entries before ${write.firstIndex}, which no snapshot has`);
      dropBefore(disk, write.firstIndex);
  }
}

/** Loses power: of the writes that were under way, what `tail` says is left. */
export function losePower(disk: Disk, tail: CrashTail, prng: Prng): CrashLoss {
  const pending = disk.pending;
  disk.pending = [];
  disk.incoming = null;
  disk.busyUntil = 0;
  if (tail === "lost" || pending.length === 0) return { lost: pending.length, isTorn: false };
  const whole = prng.below(pending.length + 1);
  for (let i = 0; i < whole; i++) {
    const write = pending[i];
    if (write !== undefined) applyWrite(disk, write);
  }
  const next = pending[whole];
  if (tail === "prefix" || next?.type !== "persist")
    return { lost: pending.length - whole, isTorn: false };
  applyPart(disk, next, prng);
  return { lost: pending.length - whole, isTorn: true };
}

/** Writes the first records of a persist and not the rest: its hard state, then one record an entry. */
function applyPart(disk: Disk, write: DiskWrite & { type: "persist" }, prng: Prng): void {
  const hardStates = write.hardState === null ? 0 : 1;
  const records = prng.below(hardStates + write.entries.length);
  if (hardStates > 0 && records > 0 && write.hardState !== null) disk.hardState = write.hardState;
  const entries = write.entries.slice(0, Math.max(0, records - hardStates));
  if (entries.length === 0) return;
  if (write.truncateFrom !== null) truncate(disk, write.truncateFrom);
  for (const entry of entries) append(disk, entry);
}

function truncate(disk: Disk, from: number): void {
  const keep = from - disk.firstIndex;
  if (keep < 0)
    throw new Error(`truncated from ${from}, before the first entry ${disk.firstIndex}`);
  if (keep < disk.entries.length) disk.entries.length = keep;
}

function append(disk: Disk, entry: Entry): void {
  const next = lastDurableIndex(disk) + 1;
  if (entry.index !== next) throw new Error(`entry ${entry.index} written where ${next} is next`);
  disk.entries.push(entry);
}

function dropBefore(disk: Disk, firstIndex: number): void {
  if (disk.entries.length === 0 || firstIndex > lastDurableIndex(disk)) {
    disk.entries = [];
    disk.firstIndex = Math.max(firstIndex, disk.firstIndex);
    return;
  }
  if (firstIndex <= disk.firstIndex) return;
  disk.entries.splice(0, firstIndex - disk.firstIndex);
  disk.firstIndex = firstIndex;
}
