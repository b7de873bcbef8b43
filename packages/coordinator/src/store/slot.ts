import { HalonError } from "@halon/protocol";
import type { Slot } from "./engine.ts";

/*
 * Records and slots.
 *
 * A record of up to 1 MiB is one slot, its head. A larger one is sent as parts of 1 MiB and then its head, which
 * holds the last bytes. Each slot says which record it belongs to, so the index of a record is the number in its
 * head and does not depend on how many slots came before. A head takes the parts directly before it; any other
 * parts were left by a writer that did not come to the head, and do not count.
 *
 *   kind u8 | record index u64 | number u32 | data
 *
 * `number`: of a part, its place from 0; of a head, how many parts precede it.
 */
const headerBytes = 13;
const headKind = 1;
const partKind = 2;

/** Most bytes of a record that one slot holds. */
export const partBytes = 1024 * 1024;
/** Largest record. */
export const recordBytesMax = 256 * 1024 * 1024;

export interface SlotContent {
  readonly kind: "head" | "part";
  /** The record that it belongs to. */
  readonly index: number;
  readonly number: number;
  readonly data: Uint8Array;
}

/** The slots of a record, in the order in which they are to be appended. */
export function* encodeRecord(index: number, data: Uint8Array): Generator<Uint8Array> {
  const parts = Math.max(0, Math.ceil(data.length / partBytes) - 1);
  for (let number = 0; number <= parts; number++) {
    const content = data.subarray(number * partBytes, (number + 1) * partBytes);
    const slot = Buffer.allocUnsafe(headerBytes + content.length);
    slot[0] = number < parts ? partKind : headKind;
    slot.writeBigUInt64LE(BigInt(index), 1);
    slot.writeUInt32LE(number, 9);
    slot.set(content, headerBytes);
    yield slot;
  }
}

export function decodeSlot({ data, position }: Slot): SlotContent {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.length);
  const kind = buffer[0];
  if (buffer.length < headerBytes || (kind !== headKind && kind !== partKind)) {
    throw badSlot(position, "it is neither head nor part of a record");
  }
  return {
    kind: kind === headKind ? "head" : "part",
    index: Number(buffer.readBigUInt64LE(1)),
    number: buffer.readUInt32LE(9),
    data: data.subarray(headerBytes),
  };
}

/** A store whose slots make no sense; checksums were right, so another program wrote it. */
export function badSlot(position: number, what: string): HalonError {
  return new HalonError(
    "HAL_STORE_DAMAGED",
    `Slot ${position} of the store cannot be read: ${what}. Restore the store from a backup, or join again from another member.`,
    { details: { position } },
  );
}
