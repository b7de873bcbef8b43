/** Bounds of the listener. Times in milliseconds, sizes in bytes. */
export interface Limits {
  readonly bodyBytesMax: number;
  readonly blobBytesMax: number;
  readonly headerBytesMax: number;
  readonly headerCountMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly connectionsMax: number;
  /** Entries that a stream holds for a reader that does not keep up, before it is cut. */
  readonly streamEntriesMax: number;
}

/** The limits that hold unless a test sets smaller ones. */
export const defaultLimits: Limits = {
  bodyBytesMax: 8 * 1024 * 1024,
  blobBytesMax: 64 * 1024 * 1024,
  headerBytesMax: 16 * 1024,
  headerCountMax: 100,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveMs: 30_000,
  connectionsMax: 1_000,
  streamEntriesMax: 10_000,
};
