/** Files named by the SHA-256 of their bytes. */
export interface Blobs {
  has(hash: string): Promise<boolean>;
  /** Where the file is, or would be. */
  path(hash: string): string;
  /** Durable when it resolves. `HAL_BLOB_MISMATCH` when the bytes have another hash, `HAL_TOO_LARGE` over 64 MiB. */
  put(hash: string, bytes: Uint8Array): Promise<void>;
  /** As `put`, for bytes that arrive in chunks. */
  putChunks(hash: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The bytes in chunks of 1 MiB; `HAL_BLOB_MISSING` when there is no such file. */
  read(hash: string): AsyncIterable<Uint8Array>;
  /** Hashes of all files, sorted. */
  list(): Promise<readonly string[]>;
  /** Whether the file has the bytes that its name says. A damaged one is removed and counts as missing. */
  verify(hash: string): Promise<boolean>;
}
