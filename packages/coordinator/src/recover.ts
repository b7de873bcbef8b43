import type { DecisionRecord } from "@halon/protocol";
import { type CoordinatorState, decodeSnapshot, emptyState, fold } from "./core/index.ts";
import type { Store } from "./store/port.ts";

/** The bytes of a record in the store. */
export function encodeRecord(canonicalText: string): Uint8Array {
  return new TextEncoder().encode(canonicalText);
}

/** Our own store's bytes: written by `encodeRecord`, checked by the store's checksum. */
export function decodeRecord(data: Uint8Array): DecisionRecord {
  return JSON.parse(recordText(data)) as DecisionRecord;
}

/** The canonical text of a record in the store. */
export function recordText(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** The state as of the last record, and how it came to be. */
export interface Recovered {
  readonly state: CoordinatorState;
  /** Of the newest snapshot; 0 and 0 when there is none. */
  readonly snapshot: { readonly index: number; readonly bytes: number };
  /** Of the records after it. */
  readonly recordBytes: number;
}

/** Rebuilds the state from the newest snapshot and the records after it. Errors are those of the store. */
export async function recover(store: Store): Promise<Recovered> {
  const snapshot = await store.loadSnapshot();
  const { text, bytes } = await textOf(snapshot?.chunks ?? []);
  const state = snapshot === undefined ? emptyState() : decodeSnapshot(text);
  let recordBytes = 0;
  for await (const { data } of store.read(state.index + 1)) {
    fold(state, decodeRecord(data));
    recordBytes += data.length;
  }
  return { state, snapshot: { index: snapshot?.index ?? 0, bytes }, recordBytes };
}

async function textOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ readonly text: string; readonly bytes: number }> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    bytes += chunk.length;
  }
  return { text: text + decoder.decode(), bytes };
}
