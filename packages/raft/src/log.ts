import { assert } from "./assert.ts";
import type { Entry } from "./entry.ts";
import type { SnapshotMeta } from "./snapshot.ts";
import type { RaftLog } from "./state.ts";
import { dropFirst, itemAt, keepFirst, push, sliceOf, vectorOf } from "./vector.ts";

/** What an entry costs besides its data, so that many small ones are bounded too. */
const entryOverheadBytes = 64;

/** Room that an entry takes in a batch and in the uncommitted tail. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}

/** A log with nothing after its snapshot. */
export function emptyLog(snapshot: SnapshotMeta): RaftLog {
  return {
    firstIndex: snapshot.index + 1,
    lastIndex: snapshot.index,
    lastTerm: snapshot.term,
    snapshot,
    durableIndex: snapshot.index,
    items: vectorOf([]),
  };
}

/** The log on a disk: `entries` are without a gap and reach at least to the snapshot, or agree with it nowhere. */
export function logFound(snapshot: SnapshotMeta, entries: readonly Entry[]): RaftLog {
  const log = emptyLog(snapshot);
  const first = entries[0];
  const last = entries.at(-1);
  if (first === undefined || last === undefined) return log;
  assert(
    first.index <= snapshot.index + 1,
    `entries ${first.index} on, after snapshot ${snapshot.index}`,
  );
  for (const [at, entry] of entries.entries()) {
    assert(entry.index === first.index + at, `entry ${entry.index} at place ${first.index + at}`);
  }
  const atSnapshot = entries[snapshot.index - first.index];
  const agrees = first.index === snapshot.index + 1 || atSnapshot?.term === snapshot.term;
  if (!agrees) return log;
  return {
    firstIndex: first.index,
    lastIndex: last.index,
    lastTerm: last.term,
    snapshot,
    durableIndex: last.index,
    items: vectorOf([...entries]),
  };
}

/** The entry at `index`, when the log holds it. */
export function entryAt(log: RaftLog, index: number): Entry | undefined {
  return itemAt(log.items, index - log.firstIndex);
}

/** Entries from `from` to `to`, both included; all must be held. */
export function entriesOf(log: RaftLog, from: number, to: number): readonly Entry[] {
  if (from > to) return [];
  assert(
    from >= log.firstIndex && to <= log.lastIndex,
    `entries ${from} to ${to} of a log of ${log.firstIndex} to ${log.lastIndex}`,
  );
  return sliceOf(log.items, from - log.firstIndex, to + 1 - log.firstIndex);
}

/** The term of the entry at `index`; null when the log does not know it (compacted away, or not there yet). */
export function termAt(log: RaftLog, index: number): number | null {
  if (index === log.lastIndex) return log.lastTerm;
  if (index === log.snapshot.index) return log.snapshot.term;
  if (index === 0) return log.firstIndex === 1 ? 0 : null;
  return itemAt(log.items, index - log.firstIndex)?.term ?? null;
}

/** Entries from `from` on, of at most `bytesMax` together, but at least one if there is one. */
export function batchOf(log: RaftLog, from: number, bytesMax: number): readonly Entry[] {
  let to = from;
  let bytes = 0;
  while (to <= log.lastIndex) {
    const entry = entryAt(log, to);
    assert(entry !== undefined, `no entry ${to}`);
    bytes += entryBytes(entry);
    if (bytes > bytesMax && to > from) break;
    to += 1;
  }
  return entriesOf(log, from, to - 1);
}

/** The log with one entry more. Costs the same however long the log is. */
export function append(log: RaftLog, entry: Entry): RaftLog {
  assert(entry.index === log.lastIndex + 1, `entry ${entry.index} after ${log.lastIndex}`);
  assert(entry.term >= log.lastTerm, `entry of term ${entry.term} after term ${log.lastTerm}`);
  return {
    firstIndex: log.firstIndex,
    lastIndex: entry.index,
    lastTerm: entry.term,
    snapshot: log.snapshot,
    durableIndex: log.durableIndex,
    items: push(log.items, entry),
  };
}

/** The log with this as its newest durable entry. */
export function withDurable(log: RaftLog, durableIndex: number): RaftLog {
  return {
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    snapshot: log.snapshot,
    durableIndex,
    items: log.items,
  };
}

/** The log without the entries from `from` on. */
export function truncate(log: RaftLog, from: number): RaftLog {
  const lastTerm = termAt(log, from - 1);
  assert(lastTerm !== null && from > log.snapshot.index, `cannot truncate from ${from}`);
  return {
    ...log,
    lastIndex: from - 1,
    lastTerm,
    durableIndex: Math.min(log.durableIndex, from - 1),
    items: keepFirst(log.items, Math.max(from - log.firstIndex, 0)),
  };
}

/** The log with another snapshot, without the entries before `firstIndex`; it keeps all after the snapshot. */
export function compact(log: RaftLog, snapshot: SnapshotMeta, firstIndex: number): RaftLog {
  const first = Math.max(log.firstIndex, Math.min(firstIndex, snapshot.index + 1));
  return {
    ...log,
    firstIndex: first,
    snapshot,
    items: dropFirst(log.items, first - log.firstIndex),
  };
}

/**
 * The largest index up to `index` whose term is `term` or lower.
 *
 * Both sides of a refused append use it, so that each round of repair passes over a whole term (§5.3). Terms never
 * fall along a log, so it is a binary search.
 */
export function lastIndexOfTerm(log: RaftLog, index: number, term: number): number {
  let high = Math.min(index, log.lastIndex);
  let low = Math.min(log.firstIndex - 1, high);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((termAt(log, middle) ?? 0) <= term) low = middle;
    else high = middle - 1;
  }
  return low;
}
