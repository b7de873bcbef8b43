import type { HostSlot } from "./core/records.ts";

/** First byte of a chunk of a snapshot of format 2: what the rest of it is. */
export const chunkTag = {
  /** UTF-8 text of the tree. */
  tree: 1,
  /** The host's bytes, as they were given. */
  host: 2,
  /** Slots after the host's state: `{ epoch u64 | length u32 | data }…`. */
  slots: 3,
} as const;

const slotHeadBytes = 12;
/** A chunk of slots that has grown to this is closed: each costs two writes. */
const slotsChunkBytes = 256 * 1024;

/** A chunk that says what it is. */
export function tagged(tag: number, data: Uint8Array): Uint8Array {
  const chunk = Buffer.allocUnsafe(data.length + 1);
  chunk[0] = tag;
  chunk.set(data, 1);
  return chunk;
}

/** Chunks of slots, in order. */
export function* slotChunks(slots: readonly HostSlot[]): Generator<Uint8Array> {
  let from = 0;
  let bytes = 0;
  for (const [at, { data }] of slots.entries()) {
    bytes += slotHeadBytes + data.length;
    if (bytes < slotsChunkBytes && at + 1 < slots.length) continue;
    yield slotChunk(slots.slice(from, at + 1), bytes);
    from = at + 1;
    bytes = 0;
  }
}

function slotChunk(slots: readonly HostSlot[], bytes: number): Uint8Array {
  const chunk = Buffer.allocUnsafe(bytes + 1);
  chunk[0] = chunkTag.slots;
  let at = 1;
  for (const { epoch, data } of slots) {
    chunk.writeBigUInt64LE(BigInt(epoch), at);
    chunk.writeUInt32LE(data.length, at + 8);
    chunk.set(data, at + slotHeadBytes);
    at += slotHeadBytes + data.length;
  }
  return chunk;
}

/** Adds the slots of a chunk, whose tag is read, to those before it. Throws when it is not one. */
export function readSlotChunk(chunk: Uint8Array, base: number, into: HostSlot[]): void {
  const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  for (let at = 1; at < view.length; ) {
    if (at + slotHeadBytes > view.length) throw new Error("a slot is cut off");
    const epoch = Number(view.readBigUInt64LE(at));
    const end = at + slotHeadBytes + view.readUInt32LE(at + 8);
    if (end > view.length) throw new Error("a slot is cut off");
    const data = view.subarray(at + slotHeadBytes, end);
    into.push({ position: base + into.length + 1, epoch, data });
    at = end;
  }
}
