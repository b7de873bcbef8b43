import type { Notification } from "./observers.ts";
import type { KvState } from "./state.ts";

/** One transaction of an entry, as it was logged. */
export interface EntryTransaction {
  readonly index: number;
  /** JSON text of the operations. */
  readonly operations: string;
  readonly clientId: string | null;
}

/** A log entry, decoded for display. */
export interface Entry {
  readonly firstIndex: number;
  readonly logTime: number;
  readonly wallTime: number;
  readonly transactions: readonly EntryTransaction[];
}

/** Reads the text of an entry. Throws when it is none. */
export function decodeEntry(_text: string): Entry {
  throw new Error("not built");
}

/**
 * Applies an entry to the state that it was sequenced on, up to the transaction `lastIndex`.
 *
 * Gives exactly the state that the batch had. Throws when the text is no entry or does not follow the state.
 */
export function applyEntry(
  _state: KvState,
  _text: string,
  _lastIndex?: number,
): { readonly state: KvState; readonly notifications: readonly Notification[] } {
  throw new Error("not built");
}
