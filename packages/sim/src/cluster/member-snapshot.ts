import type { Records } from "@halon/agency/core";
import { isWhole, joinSnapshot, splitSnapshot } from "../host-snapshot.ts";
import { hashBytes } from "../prng.ts";

/** What a member keeps of its coordinator in a snapshot. */
export interface SavedState {
  readonly position: number;
  /** A hash over all records up to it. */
  readonly chain: number;
  /** Text of the coordinator's state; empty at position 0. */
  readonly text: string;
}

export const noSavedState: SavedState = { position: 0, chain: 0, text: "" };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The snapshot of a member of the profile `raft`, then the coordinator's text, their lengths and a checksum. */
export function joinMemberSnapshot(
  tree: Uint8Array,
  records: Records,
  { position, chain, text }: SavedState,
): Uint8Array {
  const inner = joinSnapshot({ tree, records, host: { position, chain } });
  const state = encoder.encode(text);
  const bytes = new Uint8Array(inner.length + state.length + 8);
  bytes.set(inner);
  bytes.set(state, inner.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(bytes.length - 8, inner.length);
  view.setInt32(bytes.length - 4, hashBytes(bytes.subarray(0, -4)));
  return bytes;
}

/** Throws when the bytes are not what `joinMemberSnapshot` gave. */
export function splitMemberSnapshot(bytes: Uint8Array): {
  readonly tree: Uint8Array;
  readonly records: Records;
  readonly saved: SavedState;
} {
  const inner = memberPartOf(bytes);
  const { tree, records, host } = splitSnapshot(inner);
  const text = decoder.decode(bytes.subarray(inner.length, bytes.length - 8));
  return { tree, records, saved: { ...host, text } };
}

/** What is not the coordinator's: it has the state as of another position on each member. */
export function memberPartOf(bytes: Uint8Array): Uint8Array {
  if (!isWhole(bytes)) throw new Error("a snapshot is not whole");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.subarray(0, view.getUint32(bytes.length - 8));
}
