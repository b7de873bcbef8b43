import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { HalonError } from "@halon/protocol";
import type { Journal, JournalEntry, JournalOptions, JournalRange } from "./journal.ts";
import {
  brokenChain,
  chainStart,
  encodeEntry,
  encodeStart,
  entryHeaderBytes,
  journalSegmentName,
  type SegmentStart,
  scanSegment,
} from "./journal-segment.ts";

const flushMs = 50;
const flushBytes = 64 * 1024;
const segmentBytesMax = 8 * 1024 * 1024;
/** The journal is kept by whole segments, so there should be some. */
const segmentsMin = 8;
/** Older segments whose places are remembered. */
const indexedSegmentsMax = 8;

export interface SegmentFile {
  readonly path: string;
  readonly start: SegmentStart;
  readonly bytes: number;
}

/** The journal of one open directory: the newest segment is open for appending, and its places are known. */
export class JournalFiles implements Journal {
  readonly cutBytes: number;
  readonly #options: JournalOptions;
  readonly #segments: SegmentFile[];
  /** Where the entries of the newest segment begin. */
  #offsets: number[];
  #hash: Buffer;
  #descriptor: number | undefined;
  #buffered: Buffer[] = [];
  #bufferedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #failure: HalonError | undefined;
  /** Places in older segments, by path, the last used at the end. */
  readonly #indexed = new Map<string, readonly number[]>();

  constructor(
    options: JournalOptions,
    segments: SegmentFile[],
    tail: { readonly offsets: number[]; readonly hash: Buffer; readonly cutBytes: number },
  ) {
    this.#options = options;
    this.#segments = segments;
    this.#offsets = tail.offsets;
    this.#hash = tail.hash;
    this.cutBytes = tail.cutBytes;
    const last = segments.at(-1);
    if (last !== undefined) this.#descriptor = openSync(last.path, "r+");
  }

  get firstIndex(): number {
    const first = this.#segments[0];
    return first === undefined || this.lastIndex < first.start.firstIndex
      ? 0
      : first.start.firstIndex;
  }

  get lastIndex(): number {
    const last = this.#segments.at(-1);
    return last === undefined ? 0 : last.start.firstIndex + this.#offsets.length - 1;
  }

  append(index: number, data: Uint8Array, wallTime: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { lastIndex } = this;
    if (index <= lastIndex) return;
    if (this.#segments.length === 0 || index > lastIndex + 1) {
      this.#begin({ firstIndex: index, wallTime, hash: chainStart });
    } else if (this.#isFull()) {
      this.#begin({ firstIndex: index, wallTime, hash: this.#hash });
    }
    const { bytes, hash } = encodeEntry(this.#hash, index, data, wallTime);
    this.#hash = hash;
    const last = this.#newest();
    this.#offsets.push(last.bytes);
    this.#segments[this.#segments.length - 1] = { ...last, bytes: last.bytes + bytes.length };
    this.#buffered.push(bytes);
    this.#bufferedBytes += bytes.length;
    if (this.#bufferedBytes >= flushBytes) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), flushMs).unref();
  }

  async read({ from, to, limit }: JournalRange): Promise<readonly JournalEntry[]> {
    await this.flush();
    const entries: JournalEntry[] = [];
    const end = Math.min(to ?? Infinity, this.lastIndex);
    for (const segment of [...this.#segments]) {
      const next = this.#segments[this.#segments.indexOf(segment) + 1];
      if (next !== undefined && next.start.firstIndex <= from) continue;
      if (segment.start.firstIndex > end || entries.length >= limit) break;
      const offsets = await this.#offsetsOf(segment);
      const first = Math.max(from - segment.start.firstIndex, 0);
      const count = Math.min(end - segment.start.firstIndex - first + 1, limit - entries.length);
      for (const entry of readEntries(segment, offsets.slice(first, first + Math.max(count, 0)))) {
        entries.push(entry);
      }
    }
    return entries;
  }

  async verify(): Promise<{ readonly segments: number; readonly entries: number }> {
    await this.flush();
    let entries = 0;
    let before: { readonly hash: Buffer; readonly nextIndex: number } | undefined;
    for (const { path, start } of [...this.#segments]) {
      const scan = scanSegment(await readFile(path), start);
      if (scan.bad !== undefined) throw brokenChain(path, scan.end, scan.bad.what);
      const isGap = start.hash.equals(chainStart) && start.firstIndex > (before?.nextIndex ?? 0);
      const continues = start.firstIndex === before?.nextIndex && start.hash.equals(before.hash);
      if (before !== undefined && !isGap && !continues) {
        throw brokenChain(path, 0, "it does not continue the segment before it");
      }
      entries += scan.offsets.length;
      before = { hash: scan.hash, nextIndex: start.firstIndex + scan.offsets.length };
    }
    return { segments: this.#segments.length, entries };
  }

  async flush(): Promise<void> {
    this.#write();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async close(): Promise<void> {
    this.#write();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#failure ??= new HalonError("HAL_STORE_FAILED", "the journal is closed");
  }

  #newest(): SegmentFile {
    const last = this.#segments.at(-1);
    if (last === undefined) throw new Error("the journal has no segment yet");
    return last;
  }

  #isFull(): boolean {
    const { start, bytes } = this.#newest();
    const { maxBytes, maxAgeMs, now } = this.#options;
    return (
      bytes >= Math.min(segmentBytesMax, maxBytes / segmentsMin) ||
      now() - start.wallTime > maxAgeMs / segmentsMin
    );
  }

  #begin(start: SegmentStart): void {
    this.#write();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    const path = join(this.#options.dir, journalSegmentName(start.firstIndex));
    const header = encodeStart(start);
    try {
      // Truncates what a crash may have left under this name without a whole header.
      this.#descriptor = openSync(path, "w+", 0o600);
      writeSync(this.#descriptor, header, 0, header.length, 0);
    } catch (error) {
      throw this.#fail(error);
    }
    this.#segments.push({ path, start, bytes: header.length });
    this.#offsets = [];
    this.#hash = start.hash;
    this.#dropOld();
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#bufferedBytes === 0 || this.#descriptor === undefined) return;
    const bytes = Buffer.concat(this.#buffered);
    const position = this.#newest().bytes - bytes.length;
    this.#buffered = [];
    this.#bufferedBytes = 0;
    try {
      for (let done = 0; done < bytes.length; ) {
        const left = bytes.length - done;
        done += writeSync(this.#descriptor, bytes, done, left, position + done);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): HalonError {
    const reason = error instanceof Error ? error.message : String(error);
    this.#failure ??= new HalonError(
      "HAL_STORE_FAILED",
      `The journal in ${this.#options.dir} could not be written: ${reason}. Free the disk and start again; it is filled up from the store.`,
      { cause: error },
    );
    return this.#failure;
  }

  /** A segment goes when all of it is too old, or when all together are too large; never the newest. */
  #dropOld(): void {
    const { maxBytes, maxAgeMs, now } = this.#options;
    let total = this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined) return;
      if (total <= maxBytes && now() - next.start.wallTime <= maxAgeMs) return;
      rmSync(oldest.path, { force: true });
      this.#indexed.delete(oldest.path);
      this.#segments.shift();
      total -= oldest.bytes;
    }
  }

  async #offsetsOf(segment: SegmentFile): Promise<readonly number[]> {
    if (segment.start === this.#newest().start) return this.#offsets;
    const known = this.#indexed.get(segment.path);
    this.#indexed.delete(segment.path);
    const offsets = known ?? (await indexSegment(segment));
    this.#indexed.set(segment.path, offsets);
    for (const path of this.#indexed.keys()) {
      if (this.#indexed.size <= indexedSegmentsMax) break;
      this.#indexed.delete(path);
    }
    return offsets;
  }
}

async function indexSegment({ path, start }: SegmentFile): Promise<readonly number[]> {
  const scan = scanSegment(await readFile(path), start);
  if (scan.bad !== undefined) throw brokenChain(path, scan.end, scan.bad.what);
  return scan.offsets;
}

function readEntries(segment: SegmentFile, offsets: readonly number[]): readonly JournalEntry[] {
  const descriptor = openSync(segment.path, "r");
  try {
    return offsets.map((offset) => {
      const header = readAt(descriptor, offset, entryHeaderBytes);
      return {
        index: Number(header.readBigUInt64LE(4)),
        hash: header.toString("hex", 20, 52),
        wallTime: header.readDoubleLE(12),
        data: readAt(descriptor, offset + entryHeaderBytes, header.readUInt32LE(0)),
      };
    });
  } finally {
    closeSync(descriptor);
  }
}

function readAt(descriptor: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  readSync(descriptor, buffer, 0, length, offset);
  return buffer;
}
