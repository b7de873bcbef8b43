/** What the handler of a bulk request is told. */
export interface BulkMeta {
  readonly node: string;
  /** Aborted when the asker cancelled, fell silent or its link went down. */
  readonly signal: AbortSignal;
}

/** Answers a bulk request; chunks larger than 1 MiB are split, and the next is asked for when there is room. */
export type BulkHandler = (args: unknown, meta: BulkMeta) => AsyncIterable<Uint8Array>;

/** `idleMs`: the longest wait for one chunk, or for room to send one; default 10 s. */
export interface BulkOptions {
  readonly idleMs?: number;
}
