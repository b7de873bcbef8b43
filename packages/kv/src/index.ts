export { Batch, type Outcome, type TransactAnswer } from "./batch.ts";
export { inquire } from "./client-ids.ts";
export { dumpStore, dumpTree, stateDigest } from "./dump.ts";
export { applyEntry, decodeEntry, type Entry, type EntryTransaction } from "./entry.ts";
export { type Notification, notificationText } from "./observers.ts";
export { answerLengthMax, readTransactions } from "./read.ts";
export {
  type BadRequest,
  type InquireRequest,
  ownTransaction,
  parseInquireRequest,
  parseReadRequest,
  parseTransactRequest,
  parseTransientRequest,
  parseWriteRequest,
  type ReadRequest,
  type TransactRequest,
  type WriteRequest,
} from "./request.ts";
export { SnapshotReader, snapshotChunks, snapshotFormat } from "./snapshot.ts";
export { emptyKv, type KvState, type Stamp } from "./state.ts";
export type { ReadTransaction, TransactItem, WriteTransaction } from "./transaction.ts";
export type { Value } from "./value.ts";
