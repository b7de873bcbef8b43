import { decodeEntry, type KvState } from "@halon/kv";
import { type Entry, entriesOf, entryKind, type RaftLog } from "@halon/raft";
import type { LoggedTransaction } from "./logged.ts";

/** UTF-8 to text, given by the driver. */
export type Decode = (bytes: Uint8Array) => string;

/** The text of a command. */
export function commandText(entry: Entry, decode: Decode): string {
  return decode(entry.data.subarray(1));
}

export function isCommand(entry: Entry): boolean {
  return entry.data[0] === entryKind.command;
}

/** Index of the first transaction of an entry, read from its first bytes; null when it holds none. */
export function firstTransactionOf(entry: Entry): number | null {
  if (!isCommand(entry)) return null;
  const { data } = entry;
  let index = 0;
  // After the kind and the bracket that opens the list.
  for (let at = 2; at < data.length; at++) {
    const digit = (data[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) break;
    index = index * 10 + digit;
  }
  return index;
}

/** Index of raft's entry that holds a transaction; null when it is not kept or not applied. */
export function findTransaction(
  log: RaftLog,
  appliedIndex: number,
  transaction: number,
): number | null {
  let low = log.firstIndex;
  let high = appliedIndex;
  let found: number | null = null;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const command = nextCommand(log, middle, high);
    if (command === null) {
      high = middle - 1;
    } else if (command.first <= transaction) {
      found = command.index;
      low = command.index + 1;
    } else {
      high = middle - 1;
    }
  }
  return found;
}

/** The first command from `from` up to `to`. */
function nextCommand(
  log: RaftLog,
  from: number,
  to: number,
): { readonly index: number; readonly first: number } | null {
  for (let index = from; index <= to; index++) {
    const [entry] = entriesOf(log, index, index);
    const first = entry === undefined ? null : firstTransactionOf(entry);
    if (first !== null) return { index, first };
  }
  return null;
}

/** The oldest transaction that is kept, or the next to come. */
export function firstKept(log: RaftLog, appliedIndex: number, committed: KvState): number {
  return nextCommand(log, log.firstIndex, appliedIndex)?.first ?? committed.index + 1;
}

/** The last transaction of the entries up to raft's `index`; exact as far as entries are kept. */
export function transactionAt(
  log: RaftLog,
  index: number,
  newest: { readonly raftIndex: number; readonly transaction: number },
): number {
  const next = nextCommand(log, Math.max(index + 1, log.firstIndex), newest.raftIndex);
  return next === null ? newest.transaction : next.first - 1;
}

/** Transactions from `from` on, up to what is applied, oldest first. */
export function* loggedFrom(
  log: RaftLog,
  appliedIndex: number,
  from: number,
  decode: Decode,
): Generator<LoggedTransaction> {
  const start = findTransaction(log, appliedIndex, from) ?? log.firstIndex;
  for (let at = start; at <= appliedIndex; at++) {
    const [entry] = entriesOf(log, at, at);
    if (entry === undefined || !isCommand(entry)) continue;
    const { wallTime, transactions } = decodeEntry(commandText(entry, decode));
    for (const { index, operations, clientId } of transactions) {
      if (index >= from) yield { index, term: entry.term, operations, clientId, wallTime };
    }
  }
}

/** A poll's log of more characters ends early; the client goes on after its last index. */
const pollCharsMax = 4 * 1024 * 1024;

/** Answer to a poll for the transactions from `from` on. */
export function pollText(
  transactions: Iterable<LoggedTransaction>,
  from: number,
  committed: number,
): string {
  const items: string[] = [];
  let chars = 0;
  for (const { index, operations } of transactions) {
    items.push(`{"index":${index},"query":${operations}}`);
    chars += operations.length;
    if (chars > pollCharsMax) break;
  }
  const log = items.join(",");
  return `{"error":false,"code":200,"result":{"commitIndex":${committed},"firstIndex":${from},"log":[${log}]}}`;
}
