import { createHash } from "node:crypto";
import { HalonError } from "@halon/protocol";

/*
 * A segment: header, then entries.
 *
 *   header  HALONJNL | version u32 | first index u64 | wall time f64 | hash before it, 32 bytes | sha256 of these
 *   entry   length u32 | index u64 | wall time f64 | hash, 32 bytes | data
 *
 * The hash of an entry is SHA-256 of the hash before it, its index, its wall time and its data: whoever changes
 * an entry has to change all that follow.
 */
export const journalHeaderBytes = 92;
export const entryHeaderBytes = 52;
const version = 1;
const magic = Buffer.from("HALONJNL");
/** Where a chain begins: at the first record, and after a gap. */
export const chainStart = Buffer.alloc(32);

export interface SegmentStart {
  readonly firstIndex: number;
  readonly wallTime: number;
  readonly hash: Buffer;
}

export function journalSegmentName(firstIndex: number): string {
  return `${String(firstIndex).padStart(20, "0")}.journal`;
}

export function journalSegmentIndex(name: string): number | undefined {
  const match = /^(\d{20})\.journal$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export function encodeStart(start: SegmentStart): Buffer {
  const buffer = Buffer.alloc(journalHeaderBytes);
  buffer.set(magic);
  buffer.writeUInt32LE(version, 8);
  buffer.writeBigUInt64LE(BigInt(start.firstIndex), 12);
  buffer.writeDoubleLE(start.wallTime, 20);
  buffer.set(start.hash, 28);
  buffer.set(sha256(buffer.subarray(0, 60)), 60);
  return buffer;
}

/** Undefined when the bytes are not a whole header of this version. */
export function decodeStart(buffer: Buffer): SegmentStart | undefined {
  if (buffer.length < journalHeaderBytes || !buffer.subarray(0, 8).equals(magic)) return undefined;
  if (!sha256(buffer.subarray(0, 60)).equals(buffer.subarray(60, 92))) return undefined;
  if (buffer.readUInt32LE(8) !== version) return undefined;
  return {
    firstIndex: Number(buffer.readBigUInt64LE(12)),
    wallTime: buffer.readDoubleLE(20),
    hash: Buffer.from(buffer.subarray(28, 60)),
  };
}

/** An entry as bytes, and its hash. */
export function encodeEntry(
  before: Buffer,
  index: number,
  data: Uint8Array,
  wallTime: number,
): { readonly bytes: Buffer; readonly hash: Buffer } {
  const bytes = Buffer.allocUnsafe(entryHeaderBytes + data.length);
  bytes.writeUInt32LE(data.length, 0);
  bytes.writeBigUInt64LE(BigInt(index), 4);
  bytes.writeDoubleLE(wallTime, 12);
  const hash = createHash("sha256")
    .update(before)
    .update(bytes.subarray(4, 20))
    .update(data)
    .digest();
  bytes.set(hash, 20);
  bytes.set(data, entryHeaderBytes);
  return { bytes, hash };
}

export interface SegmentScan {
  readonly start: SegmentStart;
  /** Where each entry begins, the first being `start.firstIndex`. */
  readonly offsets: readonly number[];
  /** Of the last entry. */
  readonly hash: Buffer;
  readonly end: number;
  /** Why the bytes at `end` are no entry; undefined at the end of the segment. */
  readonly bad: { readonly what: string; readonly isTorn: boolean } | undefined;
}

/** Follows the chain through a segment as far as it holds. */
export function scanSegment(buffer: Buffer, start: SegmentStart): SegmentScan {
  const offsets: number[] = [];
  let { hash } = start;
  let offset = journalHeaderBytes;
  let bad: SegmentScan["bad"];
  while (offset < buffer.length) {
    const end = offset + entryHeaderBytes + lengthAt(buffer, offset);
    if (end > buffer.length) {
      bad = { what: "an entry that is not all there", isTorn: true };
      break;
    }
    const index = Number(buffer.readBigUInt64LE(offset + 4));
    const computed = createHash("sha256")
      .update(hash)
      .update(buffer.subarray(offset + 4, offset + 20))
      .update(buffer.subarray(offset + entryHeaderBytes, end))
      .digest();
    const expected = start.firstIndex + offsets.length;
    if (index !== expected || !computed.equals(buffer.subarray(offset + 20, offset + 52))) {
      bad = {
        what: `entry ${expected} does not continue the chain`,
        isTorn: isLost(buffer, offset, end),
      };
      break;
    }
    offsets.push(offset);
    hash = computed;
    offset = end;
  }
  return { start, offsets, hash, end: offset, bad };
}

/** A journal that somebody or something changed. */
export function brokenChain(path: string, offset: number, what: string): HalonError {
  return new HalonError(
    "HAL_STORE_DAMAGED",
    `The journal segment ${path} is broken at offset ${offset}: ${what}. The decision log is not affected. Move this segment and the older ones away; the journal goes on with what the store still holds.`,
    { details: { file: path, offset } },
  );
}

function lengthAt(buffer: Buffer, offset: number): number {
  return offset + entryHeaderBytes > buffer.length ? Infinity : buffer.readUInt32LE(offset);
}

/** Nothing is fsynced per entry, so a power cut may leave sectors that read as zeros. */
function isLost(buffer: Buffer, from: number, to: number): boolean {
  for (let start = from; start < to; ) {
    const end = Math.min(to, start - (start % 512) + 512);
    if (buffer.subarray(start, end).every((byte) => byte === 0)) return true;
    start = end;
  }
  return false;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
