import type { DecisionRecord } from "@halon/protocol";
import { type CoordinatorState, decodeSnapshot, emptyState, fold } from "./core/index.ts";
import type { Store } from "./store/port.ts";

/** The bytes of a record in the store. */
export function encodeRecord(canonicalText: string): Uint8Array {
  return new TextEncoder().encode(canonicalText);
}

/** Our own store's bytes: written by `encodeRecord`, checked by the store's checksum. */
export function decodeRecord(data: Uint8Array): DecisionRecord {
  return JSON.parse(new TextDecoder().decode(data)) as DecisionRecord;
}

/** Rebuilds the state from the newest snapshot and the records after it. */
export async function recover(store: Store): Promise<CoordinatorState> {
  const snapshot = await store.loadSnapshot();
  const state = snapshot === undefined ? emptyState() : decodeSnapshot(await text(snapshot.chunks));
  for await (const { data } of store.read(state.index + 1)) fold(state, decodeRecord(data));
  return state;
}

async function text(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  for await (const chunk of chunks) all += decoder.decode(chunk, { stream: true });
  return all + decoder.decode();
}

/** Cuts a snapshot's text into chunks that a store takes. */
export function* chunksOf(snapshotText: string, chunkBytes = 1_048_576): Iterable<Uint8Array> {
  const bytes = new TextEncoder().encode(snapshotText);
  for (let start = 0; start < bytes.length; start += chunkBytes)
    yield bytes.subarray(start, start + chunkBytes);
}
