import { crc32 } from "node:zlib";
import type { Entry } from "./log.ts";

/*
 * A frame holds one entry:
 *
 *   length u32 | body crc u32 | group u32 | header crc u32 | type u8 | index u64 | term u64 | data
 *   └──────────────── header, 16 bytes ──────────────────┘ └────────── body, `length` bytes ──────┘
 *
 * `group` is the offset at which the group write that this frame was part of began: when a frame was written,
 * everything before its group was durable already. That is what tells damage from a torn write. The header crc
 * is seeded with the frame's offset, so a copy of a frame inside an entry's data is not taken for a frame.
 */

export const headerBytes = 16;
const bodyPrefixBytes = 17;
const entryType = 1;
/** Largest `data` of one entry. */
export const entryBytesMax = 16 * 1024 * 1024;
/** What a disk writes as a whole or not at all. */
const sectorBytes = 512;

export function frameBytes(entry: Entry): number {
  return headerBytes + bodyPrefixBytes + entry.data.length;
}

/** The frames of one group, to be written at `group`; `offsets` receives the offset of each. */
export function encodeGroup(entries: readonly Entry[], group: number, offsets: number[]): Buffer {
  const buffer = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + frameBytes(entry), 0));
  let at = 0;
  for (const entry of entries) {
    const bodyAt = at + headerBytes;
    const end = bodyAt + bodyPrefixBytes + entry.data.length;
    buffer[bodyAt] = entryType;
    writeUint64(buffer, bodyAt + 1, entry.index);
    writeUint64(buffer, bodyAt + 9, entry.term);
    buffer.set(entry.data, bodyAt + bodyPrefixBytes);
    buffer.writeUInt32LE(end - bodyAt, at);
    buffer.writeUInt32LE(crc32(buffer.subarray(bodyAt, end)), at + 4);
    buffer.writeUInt32LE(group, at + 8);
    buffer.writeUInt32LE(crc32(buffer.subarray(at, at + 12), group + at), at + 12);
    offsets.push(group + at);
    at = end;
  }
  return buffer;
}

export type Frame =
  | { readonly type: "valid"; readonly entry: Entry; readonly group: number; readonly end: number }
  /** `end`: where the frame would end, when its header can be trusted. */
  | { readonly type: "bad"; readonly what: string; readonly end: number | undefined };

/** The frame at `offset` of a segment whose bytes are `buffer`; `offset` is before the end. */
export function decodeFrame(buffer: Buffer, offset: number): Frame {
  const bodyAt = offset + headerBytes;
  if (bodyAt > buffer.length) return { type: "bad", what: "part of a frame", end: undefined };
  if (crc32(buffer.subarray(offset, offset + 12), offset) !== buffer.readUInt32LE(offset + 12)) {
    return { type: "bad", what: "a frame header with a wrong checksum", end: undefined };
  }
  const end = bodyAt + buffer.readUInt32LE(offset);
  if (end > buffer.length) return { type: "bad", what: "part of a frame", end };
  const body = buffer.subarray(bodyAt, end);
  if (crc32(body) !== buffer.readUInt32LE(offset + 4)) {
    return { type: "bad", what: "a frame with a wrong checksum", end };
  }
  if (body.length < bodyPrefixBytes || body[0] !== entryType) {
    return { type: "bad", what: `a frame of unknown type ${body[0]}`, end };
  }
  const entry = {
    index: readUint64(body, 1),
    term: readUint64(body, 9),
    data: body.subarray(bodyPrefixBytes),
  };
  return { type: "valid", entry, group: buffer.readUInt32LE(offset + 8), end };
}

/**
 * Why a bad frame at `offset` of the last segment cannot be a write that never became durable; undefined when
 * it can, and then nothing from `offset` on was ever acknowledged or nothing on disk shows that it was.
 *
 * A write that did not become durable leaves a file that is too short, or sectors that still read as zeros, since
 * a segment only grows. A valid frame further on whose group began after `offset` proves that `offset` had been
 * durable. A bad frame that is all there, with no sector missing, was changed after it was written.
 */
export function provenDamage(
  buffer: Buffer,
  offset: number,
  bad: Extract<Frame, { type: "bad" }>,
): string | undefined {
  for (let next = offset + 1; next + headerBytes <= buffer.length; next++) {
    // Zeros cannot be a header; skipping them keeps a long tail of zeros cheap.
    if (buffer[next + 12] === 0 && buffer.readUInt32LE(next + 12) === 0) continue;
    const frame = decodeFrame(buffer, next);
    if (frame.type === "valid" && frame.group > offset) {
      return `${bad.what}, followed by a valid frame at offset ${next}`;
    }
  }
  const end = bad.end ?? offset + headerBytes;
  if (end > buffer.length || hasMissingSector(buffer, offset, end)) return undefined;
  return `${bad.what}, though all of it is there`;
}

function hasMissingSector(buffer: Buffer, from: number, to: number): boolean {
  for (let start = from; start < to; ) {
    const end = Math.min(to, start - (start % sectorBytes) + sectorBytes);
    if (buffer.subarray(start, end).every((byte) => byte === 0)) return true;
    start = end;
  }
  return false;
}

/** Whole numbers up to 2^53. */
export function writeUint64(buffer: Buffer, offset: number, value: number): void {
  buffer.writeUInt32LE(value % 0x1_0000_0000, offset);
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

export function readUint64(buffer: Buffer, offset: number): number {
  return buffer.readUInt32LE(offset) + buffer.readUInt32LE(offset + 4) * 0x1_0000_0000;
}
