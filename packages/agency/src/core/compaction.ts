import { entriesOf, entryKind, type RaftLog, type RaftState } from "@halon/raft";
import { firstTransactionOf } from "./log-view.ts";

/** Of what a snapshot covers, at most so many bytes of entries stay, if nothing else is said. */
export const keptBytesMax = 32 * 1024 * 1024;

/** What was added since the last snapshot, and its size, in transactions and bytes. */
export interface SinceSnapshot {
  readonly transactions: number;
  readonly bytes: number;
  readonly snapshotBytes: number;
}

/** What must have been added before a snapshot is taken. */
export interface SnapshotStep {
  readonly transactions: number;
  readonly bytesMin: number;
}

/**
 * Whether a snapshot is worth its writing: enough transactions, and as many bytes of log as the last one had.
 *
 * So a large tree is not written over and over, and the disk holds at most three times the live data; `bytesMin`
 * keeps a small tree from being written many times a second.
 */
export function isSnapshotDue(since: SinceSnapshot, step: SnapshotStep): boolean {
  const { transactions, bytes, snapshotBytes } = since;
  return (
    transactions >= Math.max(1, step.transactions) &&
    bytes >= Math.max(snapshotBytes, step.bytesMin)
  );
}

/** Which of the entries that a snapshot covers are kept, for polls and for members that lag. */
export class KeptEntries {
  readonly #transactionsMax: number;
  readonly #bytesMax: number;
  #from: number;
  /** Of the entries from `#from` up to the last `add`. */
  #bytes = 0;

  constructor(from: number, transactionsMax: number, bytesMax: number = keptBytesMax) {
    this.#from = from;
    this.#transactionsMax = transactionsMax;
    this.#bytesMax = bytesMax;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** First index to keep when a snapshot at raft's `index` holds `transactions`; it never goes back. */
  keptFrom(log: RaftLog, index: number, transactions: number): number {
    this.#from = Math.max(this.#from, log.firstIndex);
    let bytes = this.#bytes;
    for (let at = this.#from; at <= index; at++) {
      const [entry] = entriesOf(log, at, at);
      if (entry === undefined) break;
      const first = firstTransactionOf(entry);
      const isInTime = first === null || transactions - first < this.#transactionsMax;
      // Records have bytes alone to bound them.
      const isOwn = first !== null || entry.data[0] === entryKind.record;
      if (isOwn && isInTime && bytes <= this.#bytesMax) break;
      const isDropped = !isInTime || bytes > this.#bytesMax;
      bytes -= entry.data.length;
      // An entry without a transaction goes with the command after it.
      if (!isDropped) continue;
      this.#from = at + 1;
      this.#bytes = bytes;
    }
    return this.#from;
  }
}

/** One minute of ticks of 15 ms. */
const sendingTicks = 4_000;

/** Whether a snapshot is on its way to a follower that has answered within the last minute. */
export function isSending({ progress, now }: Pick<RaftState, "progress" | "now">): boolean {
  for (const { mode, ackTick } of progress.values()) {
    if (mode === "snapshot" && now - ackTick < sendingTicks) return true;
  }
  return false;
}
