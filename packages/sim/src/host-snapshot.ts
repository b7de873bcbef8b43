import type { HostSlot, Records } from "@halon/agency/core";
import { hashBytes, mix } from "./prng.ts";

/** What a simulated host keeps of its log: the last position, and a hash over all slots up to it. */
export interface HostState {
  readonly position: number;
  readonly chain: number;
}

/** A snapshot of a member as its disk has it, taken apart. */
export interface MemberSnapshot {
  readonly tree: Uint8Array;
  readonly records: Records;
  readonly host: HostState;
}

export const noHostState: HostState = { position: 0, chain: 0 };

/** Long enough that a host's state travels in parts. */
const paddingBytes = 200;
const checksumBytes = 4;

/** The state after one more slot. */
export function withSlot({ chain }: HostState, { position, epoch, data }: HostSlot): HostState {
  return { position, chain: mix(mix(mix(chain, position), epoch), hashBytes(data)) };
}

export function joinSnapshot({ tree, records, host }: MemberSnapshot): Uint8Array {
  const { base, slots } = records;
  let length = tree.length + 12 + 8 + paddingBytes + checksumBytes;
  for (const { data } of slots) length += 8 + data.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, tree.length);
  bytes.set(tree, 4);
  let at = 4 + tree.length;
  view.setUint32(at, base);
  view.setUint32(at + 4, slots.length);
  at += 8;
  for (const { epoch, data } of slots) {
    view.setUint32(at, epoch);
    view.setUint32(at + 4, data.length);
    bytes.set(data, at + 8);
    at += 8 + data.length;
  }
  view.setUint32(at, host.position);
  view.setInt32(at + 4, host.chain);
  bytes.fill(host.chain, at + 8, length - checksumBytes);
  view.setInt32(length - checksumBytes, hashBytes(bytes.subarray(0, -checksumBytes)));
  return bytes;
}

/** Throws when the bytes are not what `joinSnapshot` gave: parts of two snapshots, or not all of one. */
export function splitSnapshot(bytes: Uint8Array): MemberSnapshot {
  if (!isWhole(bytes)) throw new Error("a snapshot is not whole");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const treeLength = view.getUint32(0);
  const tree = bytes.subarray(4, 4 + treeLength);
  let at = 4 + treeLength;
  const base = view.getUint32(at);
  const count = view.getUint32(at + 4);
  at += 8;
  const slots: HostSlot[] = [];
  for (let i = 1; i <= count; i++) {
    const end = at + 8 + view.getUint32(at + 4);
    const data = bytes.slice(at + 8, end);
    slots.push({ position: base + i, epoch: view.getUint32(at), data });
    at = end;
  }
  const host = { position: view.getUint32(at), chain: view.getInt32(at + 4) };
  return { tree, records: { base, slots }, host };
}

/** Whether they agree with their checksum; parts of two snapshots do not. */
export function isWhole(bytes: Uint8Array): boolean {
  const end = bytes.length - checksumBytes;
  if (end < 0) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getInt32(end) === hashBytes(bytes.subarray(0, end));
}

/** What is the same on all members: where their hosts stood when they saved their states does not count. */
export function canonicalBytes({ tree, records, host }: MemberSnapshot): Uint8Array {
  const last = records.slots.reduce(withSlot, host);
  const bytes = new Uint8Array(tree.length + 8);
  const view = new DataView(bytes.buffer);
  bytes.set(tree, 8);
  view.setUint32(0, last.position);
  view.setInt32(4, last.chain);
  return bytes;
}
