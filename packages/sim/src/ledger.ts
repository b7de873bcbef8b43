import type { Entry, MemberId } from "@halon/raft";
import type { HostAppend } from "./host.ts";
import { hashBytes, mix } from "./prng.ts";

interface EntryRecord {
  readonly term: number;
  readonly prevTerm: number;
  readonly hash: number;
}

/**
 * What the simulator knows of all logs together: each entry once, by index and term.
 *
 * An index and a term name one entry, and through the term before it one whole prefix (Raft §5.3). So logs are compared
 * entry by entry while they are written, and never again.
 */
export interface Ledger {
  readonly entries: EntryRecord[][];
  /** Term of the committed entry at each index; 0: none is known. */
  readonly committedTerms: number[];
  committedIndex: number;
  /** Highest index that a leader of each term has committed. */
  readonly committedByTerm: Map<number, number>;
  /** Highest index that an answered write rests on. */
  acknowledgedIndex: number;
  /** Highest term in which a leader was elected; 0: none yet. */
  ledTerm: number;
  readonly hosts: HostLedger;
}

/** A slot of the hosts' log, as the first member that applied it had it. */
export interface LedgerSlot {
  readonly epoch: number;
  readonly nonce: number;
  readonly chain: number;
}

/** What became of an append of a host. */
export interface LedgerAppend {
  readonly append: HostAppend;
  /** Id of the member. */
  readonly by: MemberId;
  /** Nothing of it may ever be there. */
  isRefused: boolean;
  /** Where it is committed; 0: nowhere as far as is known. */
  position: number;
}

/** What the simulator knows of the log that members keep for their hosts. */
export interface HostLedger {
  /** By position; there is none at 0. */
  readonly slots: (LedgerSlot | undefined)[];
  lastPosition: number;
  /** By nonce. */
  readonly appends: Map<number, LedgerAppend>;
  /** Highest position that an append was answered committed at. */
  acknowledgedPosition: number;
}

export function createLedger(): Ledger {
  return {
    entries: [],
    committedTerms: [],
    committedIndex: 0,
    committedByTerm: new Map(),
    acknowledgedIndex: 0,
    ledTerm: 0,
    hosts: { slots: [], lastPosition: 0, appends: new Map(), acknowledgedPosition: 0 },
  };
}

/** Adds an entry; what is wrong with it, or null. */
export function recordEntry(ledger: Ledger, entry: Entry, prevTerm: number): string | null {
  const hash = hashOf(entry.data);
  const records = ledger.entries[entry.index];
  if (records === undefined) {
    ledger.entries[entry.index] = [{ term: entry.term, prevTerm, hash }];
    return null;
  }
  for (const record of records) {
    if (record.term !== entry.term) continue;
    if (record.hash !== hash) return `entry ${entry.term}/${entry.index} has two contents`;
    if (record.prevTerm !== prevTerm)
      return `entry ${entry.term}/${entry.index} follows terms ${record.prevTerm} and ${prevTerm}`;
    return null;
  }
  records.push({ term: entry.term, prevTerm, hash });
  return null;
}

/** A member that starts again has the entries that it wrote. */
const hashes = new WeakMap<Uint8Array, number>();

function hashOf(data: Uint8Array): number {
  const known = hashes.get(data);
  if (known !== undefined) return known;
  const hash = hashBytes(data);
  hashes.set(data, hash);
  return hash;
}

/** The terms of the log that a member's process has, written or not. */
export interface ShadowLog {
  /** Index before the first of `terms`, and its term. */
  baseIndex: number;
  baseTerm: number;
  terms: number[];
}

export function shadowLastIndex(log: ShadowLog): number {
  return log.baseIndex + log.terms.length;
}

/** Null when the index is not in the log, or before its base. */
export function shadowTermAt(log: ShadowLog, index: number): number | null {
  if (index === log.baseIndex) return log.baseTerm;
  return log.terms[index - log.baseIndex - 1] ?? null;
}

/** Follows one persist of a member; what is wrong with it, or null. */
export function writeShadow(
  log: ShadowLog,
  ledger: Ledger,
  truncateFrom: number | null,
  entries: readonly Entry[],
): string | null {
  if (truncateFrom !== null) {
    const keep = truncateFrom - log.baseIndex - 1;
    if (keep < 0) return `truncated from ${truncateFrom}, before the first entry`;
    if (keep < log.terms.length) log.terms.length = keep;
  }
  for (const entry of entries) {
    const last = shadowLastIndex(log);
    if (entry.index !== last + 1) return `wrote entry ${entry.index} where ${last + 1} is next`;
    const wrong = recordEntry(ledger, entry, log.terms.at(-1) ?? log.baseTerm);
    if (wrong !== null) return wrong;
    log.terms.push(entry.term);
  }
  return null;
}

/** Forgets terms before `baseIndex`. */
export function trimShadow(log: ShadowLog, baseIndex: number, baseTerm: number): void {
  if (baseIndex <= log.baseIndex) return;
  log.terms.splice(0, baseIndex - log.baseIndex);
  log.baseIndex = baseIndex;
  log.baseTerm = baseTerm;
}

/** A hash of all that was committed, in order. */
export function hashCommitted(ledger: Ledger): number {
  let hash = ledger.committedIndex;
  for (const term of ledger.committedTerms) hash = mix(hash, term ?? 0);
  return hash;
}
