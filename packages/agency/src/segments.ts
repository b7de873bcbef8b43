import { join } from "node:path";
import { encodeGroup } from "./frame.ts";
import type { Entry, HardState } from "./log.ts";
import type { LogFile, LogFs } from "./log-fs.ts";
import { type Manifest, writeManifest } from "./manifest.ts";
import { isFull } from "./room.ts";
import { createSegment, segmentHeaderBytes, segmentName } from "./segment.ts";

/** A segment on disk: `offsets[i]` is where the frame of entry `first + i` begins. */
export interface Segment {
  readonly first: number;
  readonly offsets: number[];
  end: number;
}

/** Written ahead of the entries; the memory of a large zeroed buffer is never touched, so it costs none. */
const zeros = Buffer.alloc(1024 * 1024);

/** A group of at most this size is written on the calling thread, and synced there while disk and processor are quick. */
const syncGroupBytes = 64 * 1024;
/**
 * A sync that held the calling thread too long sends those of the next second through the thread pool: on a busy
 * processor a thread that blocks comes back a time slice later (measured: p50 4 ms instead of 0.25 ms).
 */
const slowForMs = 1_000;

/**
 * The files of a log. One call at a time; after a call that threw, none.
 *
 * Each change leaves the directory, at every moment, in a state that opening it understands: the old log, or
 * the new one, or for entries that were being appended a part of them.
 */
export class Segments {
  readonly #fs: LogFs;
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #failpoint: (name: string) => void;
  #segments: Segment[];
  #file: LogFile;
  #hardState: HardState;
  /** Where the zeros end that the last segment was given ahead, as far as the disk had room. */
  #zerosEnd: number;
  /** Until then groups go through the thread pool. */
  #slowUntil = 0;

  constructor(
    setting: {
      readonly fs: LogFs;
      readonly dir: string;
      readonly segmentBytes: number;
      readonly failpoint: (name: string) => void;
    },
    found: {
      readonly segments: Segment[];
      /** The last segment. */
      readonly file: LogFile;
      readonly fileEnd: number;
      readonly hardState: HardState;
    },
  ) {
    this.#fs = setting.fs;
    this.#dir = setting.dir;
    this.#segmentBytes = setting.segmentBytes;
    this.#failpoint = setting.failpoint;
    this.#segments = found.segments;
    this.#file = found.file;
    this.#zerosEnd = found.fileEnd;
    this.#hardState = found.hardState;
  }

  get firstIndex(): number {
    return this.#segments[0]?.first ?? 1;
  }

  /** Writes one group and waits until it is durable; on the calling thread while that takes up to `holdMs`. */
  async append(entries: readonly Entry[], holdMs: number): Promise<void> {
    const first = entries[0];
    if (first === undefined) return;
    if (this.#last().end >= this.#segmentBytes) await this.#roll(first.index);
    const segment = this.#last();
    const offsets: number[] = [];
    const bytes = encodeGroup(entries, segment.end, offsets);
    const isSmall = bytes.length <= syncGroupBytes;
    // A short write only fills the page cache: a journey through the thread pool takes longer than it does.
    if (isSmall) this.#file.writeSync(bytes, segment.end);
    else await this.#file.write(bytes, segment.end);
    const hasZeros = await this.#writeAhead(segment.end + bytes.length);
    this.#failpoint("store.after-write");
    const start = performance.now();
    if (isSmall && !hasZeros && start >= this.#slowUntil) {
      this.#file.datasyncSync();
      const end = performance.now();
      if (end - start > holdMs) this.#slowUntil = end + slowForMs;
    } else {
      await this.#file.datasync();
    }
    this.#failpoint("store.after-fsync");
    for (const offset of offsets) segment.offsets.push(offset);
    segment.end += bytes.length;
  }

  async saveHardState(hardState: HardState): Promise<void> {
    this.#hardState = hardState;
    await this.#writeManifest();
  }

  async truncateFrom(index: number): Promise<void> {
    const kept = this.#segments.filter((segment) => segment.first <= index);
    const dropped = this.#segments.slice(kept.length);
    this.#segments = kept;
    const target = this.#last();
    if (dropped.length > 0) {
      await this.#file.close();
      await this.#writeManifest();
      await this.#remove(dropped);
      this.#file = await this.#fs.open(join(this.#dir, segmentName(target.first)), "edit");
    }
    target.end = target.offsets[index - target.first] ?? target.end;
    target.offsets.length = Math.min(target.offsets.length, index - target.first);
    await this.#cut();
  }

  /** Drops segments that hold nothing after `index`, but never the last one. */
  async compactTo(index: number): Promise<void> {
    const kept = this.#segments.filter((_, at) => {
      const next = this.#segments[at + 1];
      return next === undefined || next.first > index + 1;
    });
    const dropped = this.#segments.slice(0, this.#segments.length - kept.length);
    if (dropped.length === 0) return;
    this.#segments = kept;
    await this.#writeManifest();
    await this.#remove(dropped);
  }

  /** Drops everything; the next entry is `first`, which is beyond all entries held. */
  async restartAt(first: number): Promise<void> {
    const dropped = this.#segments;
    await this.#file.close();
    this.#file = await createSegment(this.#fs, this.#dir, first);
    this.#segments = [{ first, offsets: [], end: segmentHeaderBytes }];
    this.#zerosEnd = segmentHeaderBytes;
    await this.#writeManifest();
    await this.#remove(dropped);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /**
   * Puts zeros behind entries that end at `end`, unless there are some; tells whether it did.
   *
   * A sync of a file that grows writes metadata too. Over zeros it does not, and takes half as long. They end where
   * the next segment begins, so only the last one ever has any.
   */
  async #writeAhead(end: number): Promise<boolean> {
    if (end <= this.#zerosEnd) return false;
    const next = Math.ceil(end / zeros.length) * zeros.length;
    // Also when the disk is full: it is asked again a mebibyte later, and until then the file grows by entries alone.
    this.#zerosEnd = Math.max(end, Math.min(next, this.#segmentBytes));
    if (this.#zerosEnd === end) return false;
    try {
      await this.#file.write(zeros.subarray(0, this.#zerosEnd - end), end);
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    return true;
  }

  /** Drops what is behind the last entry; durable when it resolves. */
  async #cut(): Promise<void> {
    this.#zerosEnd = this.#last().end;
    await this.#file.truncate(this.#zerosEnd);
  }

  async #roll(first: number): Promise<void> {
    // There are zeros left only when the log was opened with smaller segments than before.
    if (this.#zerosEnd > this.#last().end) await this.#cut();
    await this.#file.close();
    this.#file = await createSegment(this.#fs, this.#dir, first);
    this.#segments.push({ first, offsets: [], end: segmentHeaderBytes });
    this.#zerosEnd = segmentHeaderBytes;
    await this.#writeManifest();
  }

  async #remove(segments: readonly Segment[]): Promise<void> {
    for (const { first } of segments) await this.#fs.unlink(join(this.#dir, segmentName(first)));
    await this.#fs.syncDir(this.#dir);
  }

  async #writeManifest(): Promise<void> {
    const manifest: Manifest = {
      firstSegment: this.firstIndex,
      lastSegment: this.#last().first,
      hardState: this.#hardState,
    };
    await writeManifest(this.#fs, this.#dir, manifest);
  }

  #last(): Segment {
    const segment = this.#segments.at(-1);
    if (segment === undefined) throw new Error("a log has at least one segment");
    return segment;
  }
}
