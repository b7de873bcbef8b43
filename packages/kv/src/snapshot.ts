import type { KvState } from "./state.ts";

/** Version of the snapshot's format; a reader takes this one only. */
export const snapshotFormat = 1;

/** The state in pieces of about 64 Ki characters, each a JSON text; built as they are asked for. */
export function snapshotChunks(_state: KvState): Iterable<string> {
  throw new Error("not built");
}

/** Puts a state together from the chunks of a snapshot, in order. Throws on whatever does not fit. */
export class SnapshotReader {
  push(_chunk: string): void {
    throw new Error("not built");
  }
  finish(): KvState {
    throw new Error("not built");
  }
}
