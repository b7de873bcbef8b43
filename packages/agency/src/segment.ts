import { join } from "node:path";
import { crc32 } from "node:zlib";
import { damaged } from "./errors.ts";
import { decodeFrame, provenDamage, readUint64, writeUint64 } from "./frame.ts";
import type { Entry } from "./log.ts";
import type { LogFile, LogFs } from "./log-fs.ts";
import { formatVersion } from "./manifest.ts";

/** `HALONLOG` | version u32 | first index u64 | crc u32 of what is before it. */
export const segmentHeaderBytes = 24;
const magic = Buffer.from("HALONLOG");

export function segmentName(firstIndex: number): string {
  return `${String(firstIndex).padStart(20, "0")}.log`;
}

/** The first index that a file name says; undefined for other files. */
export function segmentIndex(name: string): number | undefined {
  const match = /^(\d{20})\.log$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** Makes an empty segment, durable with its name. */
export async function createSegment(fs: LogFs, dir: string, firstIndex: number): Promise<LogFile> {
  const file = await fs.open(join(dir, segmentName(firstIndex)), "create");
  const header = Buffer.alloc(segmentHeaderBytes);
  header.set(magic);
  header.writeUInt32LE(formatVersion, 8);
  writeUint64(header, 12, firstIndex);
  header.writeUInt32LE(crc32(header.subarray(0, 20)), 20);
  await file.write(header, 0);
  await file.datasync();
  await fs.syncDir(dir);
  return file;
}

/** What stands in a segment. */
export interface SegmentContent {
  readonly entries: readonly Entry[];
  /** Where the frame of each entry begins. */
  readonly offsets: readonly number[];
  /** Where the next frame goes. */
  readonly end: number;
  /** Where the file ends: behind `end` come zeros that were written ahead, or a torn write. */
  readonly fileEnd: number;
  /** From `end` to the last byte that is not zero: a torn write, to be cut; only ever in the last segment. */
  readonly tornBytes: number;
}

/** Reads a segment that starts at `firstIndex` and throws `HAL_STORE_DAMAGED` unless it is whole. */
export async function readSegment(
  fs: LogFs,
  dir: string,
  firstIndex: number,
  isLast: boolean,
): Promise<SegmentContent> {
  const path = join(dir, segmentName(firstIndex));
  const file = await fs.open(path, "edit");
  const buffer = Buffer.from(await file.read(0, await fs.size(path)));
  await file.close();
  checkHeader(path, buffer, firstIndex);

  const entries: Entry[] = [];
  const offsets: number[] = [];
  let offset = segmentHeaderBytes;
  while (offset < buffer.length) {
    const frame = decodeFrame(buffer, offset);
    if (frame.type === "bad") {
      if (isLast && writtenEnd(buffer, offset) === offset) break;
      const proof = isLast
        ? provenDamage(buffer, offset, frame)
        : `${frame.what} in a segment that is not the last`;
      if (proof !== undefined) throw damaged(path, offset, proof);
      break;
    }
    const expected = firstIndex + entries.length;
    if (frame.entry.index !== expected) {
      throw damaged(path, offset, `expected entry ${expected}, found ${frame.entry.index}`);
    }
    entries.push(frame.entry);
    offsets.push(offset);
    offset = frame.end;
  }
  const tornBytes = writtenEnd(buffer, offset) - offset;
  return { entries, offsets, end: offset, fileEnd: buffer.length, tornBytes };
}

/** Behind the last byte that is not zero; `from` when there is none. */
function writtenEnd(buffer: Buffer, from: number): number {
  let end = buffer.length;
  while (end > from && buffer[end - 1] === 0) end -= 1;
  return end;
}

function checkHeader(path: string, buffer: Buffer, firstIndex: number): void {
  if (buffer.length < segmentHeaderBytes) {
    throw damaged(path, 0, `its header has ${buffer.length} of ${segmentHeaderBytes} bytes`);
  }
  if (!buffer.subarray(0, magic.length).equals(magic))
    throw damaged(path, 0, "it is no log segment");
  if (crc32(buffer.subarray(0, 20)) !== buffer.readUInt32LE(20)) {
    throw damaged(path, 0, "the checksum of its header is wrong");
  }
  const version = buffer.readUInt32LE(8);
  if (version !== formatVersion) {
    throw damaged(path, 8, `expected format ${formatVersion}, got ${version}`);
  }
  const named = readUint64(buffer, 12);
  if (named !== firstIndex) throw damaged(path, 12, `it says that it starts at entry ${named}`);
}
