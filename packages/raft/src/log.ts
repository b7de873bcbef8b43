import type { Entry } from "./entry.ts";
import type { RaftLog } from "./state.ts";

/** Entries from `from` to `to`, both included; all must be held. */
export function entriesOf(_log: RaftLog, _from: number, _to: number): readonly Entry[] {
  throw new Error("to come");
}

/** The term of the entry at `index`; null when the log does not know it (compacted away, or not there yet). */
export function termAt(_log: RaftLog, _index: number): number | null {
  throw new Error("to come");
}
