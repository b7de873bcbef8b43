import type { KvState, Stamp } from "./state.ts";

/** JSON text of the whole tree, hidden members too. */
export function dumpTree(_state: KvState, _now: number): string {
  throw new Error("not built");
}

/**
 * JSON text of an element of `stores`: tree, expiries in seconds since 1970, observers by URL and by path.
 *
 * `now` relates log time to wall time.
 */
export function dumpStore(_state: KvState, _now: Stamp): string {
  throw new Error("not built");
}

/** Digest of all of the state's content: equal content gives equal text, whatever its history. */
export function stateDigest(_state: KvState): string {
  throw new Error("not built");
}
