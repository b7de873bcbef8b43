import { createHash } from "node:crypto";
import { join } from "node:path";
import { damaged } from "./errors.ts";
import { readUint64, writeUint64 } from "./frame.ts";
import type { SnapshotPoint } from "./log.ts";
import type { LogFile, LogFs } from "./log-fs.ts";
import { formatVersion, replaceFile } from "./manifest.ts";

/*
 * HALONSNP | version u32 | index u64 | term u64 | { length u32 | chunk }… | 0xffffffff | sha256 of all before
 */
const magic = Buffer.from("HALONSNP");
const headerBytes = 28;
const endMark = 0xffff_ffff;
/** Largest chunk; what a reader must be ready to hold. */
const chunkBytesMax = 64 * 1024 * 1024;

export function snapshotName(index: number): string {
  return `${String(index).padStart(20, "0")}.snapshot`;
}

function snapshotIndex(name: string): number | undefined {
  const match = /^(\d{20})\.snapshot$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** Indexes of the snapshot files, newest first. */
export function snapshotIndexes(names: readonly string[]): readonly number[] {
  return names
    .map(snapshotIndex)
    .filter((index) => index !== undefined)
    .sort((a, b) => b - a);
}

/** Durable when it resolves. */
export async function writeSnapshot(
  fs: LogFs,
  dir: string,
  point: SnapshotPoint,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  await replaceFile(fs, dir, snapshotName(point.index), async (file) => {
    const hash = createHash("sha256");
    let position = 0;
    const put = async (bytes: Uint8Array): Promise<void> => {
      hash.update(bytes);
      await file.write(bytes, position);
      position += bytes.length;
    };
    const header = Buffer.alloc(headerBytes);
    header.set(magic);
    header.writeUInt32LE(formatVersion, 8);
    writeUint64(header, 12, point.index);
    writeUint64(header, 20, point.term);
    await put(header);
    for await (const chunk of chunks) {
      if (chunk.length > chunkBytesMax) throw new RangeError(`chunk of ${chunk.length} bytes`);
      await put(uint32(chunk.length));
      await put(chunk);
    }
    await put(uint32(endMark));
    await file.write(hash.digest(), position);
  });
}

/** Reads the whole file once and answers where it stands; throws `HAL_STORE_DAMAGED`. */
export async function checkSnapshot(fs: LogFs, dir: string, index: number): Promise<SnapshotPoint> {
  const path = join(dir, snapshotName(index));
  const term = await checkHead(fs, path, index);
  for await (const chunk of readSnapshotFile(fs, path)) void chunk;
  return { index, term };
}

/** Throws `HAL_STORE_DAMAGED` when the head of the file does not say `point`. */
export async function checkSnapshotFile(
  fs: LogFs,
  path: string,
  point: SnapshotPoint,
): Promise<void> {
  const term = await checkHead(fs, path, point.index);
  if (term !== point.term) throw damaged(path, 20, `it says that its term is ${term}`);
}

/** The chunks, in order; throws `HAL_STORE_DAMAGED` after the last one if the checksum is wrong. */
export function readSnapshot(fs: LogFs, dir: string, index: number): AsyncGenerator<Uint8Array> {
  return readSnapshotFile(fs, join(dir, snapshotName(index)));
}

/** As `readSnapshot`, of a file of any name. */
export async function* readSnapshotFile(fs: LogFs, path: string): AsyncGenerator<Uint8Array> {
  const file = await fs.open(path, "edit");
  try {
    yield* chunksOf(file, path);
  } finally {
    await file.close();
  }
}

/** Gives the term. */
async function checkHead(fs: LogFs, path: string, index: number): Promise<number> {
  const file = await fs.open(path, "edit");
  try {
    const header = Buffer.from(await file.read(0, headerBytes));
    if (header.length < headerBytes || !header.subarray(0, 8).equals(magic)) {
      throw damaged(path, 0, "it is no snapshot");
    }
    const version = header.readUInt32LE(8);
    if (version !== formatVersion) {
      throw damaged(path, 8, `expected format ${formatVersion}, got ${version}`);
    }
    const named = readUint64(header, 12);
    if (named !== index) throw damaged(path, 12, `it says that it stands at entry ${named}`);
    return readUint64(header, 20);
  } finally {
    await file.close();
  }
}

async function* chunksOf(file: LogFile, path: string): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  hash.update(await file.read(0, headerBytes));
  let position = headerBytes;
  for (;;) {
    const prefix = Buffer.from(await file.read(position, 4));
    if (prefix.length < 4) throw damaged(path, position, "it ends in the middle");
    hash.update(prefix);
    position += 4;
    const length = prefix.readUInt32LE(0);
    if (length === endMark) break;
    if (length > chunkBytesMax) throw damaged(path, position - 4, `a chunk of ${length} bytes`);
    const chunk = await file.read(position, length);
    if (chunk.length < length) throw damaged(path, position, "it ends in the middle");
    hash.update(chunk);
    yield chunk;
    position += length;
  }
  const stored = Buffer.from(await file.read(position, 33));
  if (!stored.equals(hash.digest())) throw damaged(path, position, "its checksum is wrong");
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
