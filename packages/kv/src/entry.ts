import { Draft } from "./draft.ts";
import { JsonReader } from "./json-reader.ts";
import type { Notification } from "./observers.ts";
import { readOperations } from "./operations.ts";
import type { KvState, Stamp } from "./state.ts";

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

/** The text of an entry; `logged` is `,[operations,clientId?]` of each transaction. */
export function entryText(firstIndex: number, stamp: Stamp, logged: string): string {
  return `[${firstIndex},${stamp.logTime},${stamp.wallTime}${logged}]`;
}

/** Reads the text of an entry. Throws when it is none. */
export function decodeEntry(text: string): Entry {
  const reader = new JsonReader(text);
  const head = readHead(reader);
  const transactions: EntryTransaction[] = [];
  while (reader.take(",")) {
    reader.expect("[");
    reader.skipSpace();
    const start = reader.position;
    reader.readValue();
    const operations = text.slice(start, reader.position);
    const index = head.firstIndex + transactions.length;
    transactions.push({ index, operations, clientId: readClientId(reader) });
  }
  reader.expect("]");
  reader.expectEnd();
  return { ...head, transactions };
}

/**
 * Applies an entry to the state that it was sequenced on, up to the transaction `lastIndex`.
 *
 * Gives exactly the state that the batch had. Throws when the text is no entry or does not follow the state.
 */
export function applyEntry(
  state: KvState,
  text: string,
  lastIndex = Number.POSITIVE_INFINITY,
): { readonly state: KvState; readonly notifications: readonly Notification[] } {
  const reader = new JsonReader(text);
  const { firstIndex, logTime, wallTime } = readHead(reader);
  if (firstIndex !== state.index + 1 || logTime < state.logTime) {
    throw new Error(
      `Entry of index ${firstIndex} and log time ${logTime} does not follow ${state.index} and ${state.logTime}.`,
    );
  }
  const draft = new Draft(state, { logTime, wallTime });
  while (reader.take(",")) {
    if (draft.index >= lastIndex)
      return { state: draft.publish(), notifications: draft.notices.list() };
    reader.expect("[");
    const operations = readOperations(reader);
    if (!draft.apply(operations, readClientId(reader))) {
      throw new Error(`Transaction ${draft.index + 1} of the log is refused by an operator.`);
    }
  }
  reader.expect("]");
  reader.expectEnd();
  return { state: draft.publish(), notifications: draft.notices.list() };
}

/** Takes the end of a transaction, after its operations. */
function readClientId(reader: JsonReader): string | null {
  const clientId = reader.take(",") ? reader.readString() : null;
  reader.expect("]");
  return clientId;
}

function readHead(reader: JsonReader): Omit<Entry, "transactions"> {
  reader.expect("[");
  const firstIndex = readCount(reader);
  reader.expect(",");
  const logTime = readCount(reader);
  reader.expect(",");
  return { firstIndex, logTime, wallTime: readCount(reader) };
}

function readCount(reader: JsonReader): number {
  const value = reader.readValue();
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  return reader.fail("a whole number");
}
