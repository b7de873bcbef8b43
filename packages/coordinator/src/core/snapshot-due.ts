/** Records that are read again after a start, at least, before a snapshot is worth its writing. */
const recordsMin = 5_000;
/** Bytes of records after which one is due whatever its size. */
const recordBytesMax = 64 * 1024 * 1024;

/** What of the log a snapshot would spare the next start. */
export interface SnapshotDue {
  readonly records: number;
  readonly recordBytes: number;
  /** Of the newest snapshot. */
  readonly snapshotBytes: number;
}

/**
 * Whether a snapshot is due: after enough records, and not before these are as large as the snapshot that they change,
 * so that writing snapshots at most doubles what is written.
 */
export function isSnapshotDue({ records, recordBytes, snapshotBytes }: SnapshotDue): boolean {
  if (recordBytes >= recordBytesMax) return true;
  return records >= recordsMin && recordBytes >= snapshotBytes;
}
