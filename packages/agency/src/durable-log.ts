import { HalonError } from "@halon/protocol";
import { diskRefused } from "./errors.ts";
import { entryBytesMax, frameBytes } from "./frame.ts";
import type { Entry, HardState, Log, Snapshot, SnapshotPoint } from "./log.ts";
import type { Segments } from "./segments.ts";
import type { IncomingSnapshot, OutgoingSnapshot } from "./snapshot-transfer.ts";

/** What one fsync may cover. */
const groupBytesMax = 4 * 1024 * 1024;
const groupEntriesMax = 4_096;
const holdMsDefault = 0.5;

type Job = { readonly done: () => void; readonly failed: (error: HalonError) => void } & (
  | { readonly type: "append"; readonly entries: readonly Entry[]; readonly holdMs: number }
  | { readonly type: "change"; readonly run: () => Promise<void> }
);

/** What a log needs of its snapshot files. */
export interface SnapshotFiles {
  save(
    point: SnapshotPoint,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void>;
  chunks(point: SnapshotPoint): AsyncIterable<Uint8Array>;
  open(point: SnapshotPoint): Promise<OutgoingSnapshot>;
  readonly incoming: IncomingSnapshot;
  /** Removes the files of snapshots before `index`. */
  removeBefore(index: number): Promise<void>;
}

/** The log of one open directory: entries in memory, and a queue of changes to the files. */
export class DurableLog implements Log {
  readonly cut: Log["cut"];
  readonly #dir: string;
  readonly #files: Segments;
  readonly #snapshots: SnapshotFiles;
  readonly #queue: Job[] = [];
  #entries: Entry[];
  #firstIndex: number;
  #durableIndex: number;
  #bytes: number;
  #hardState: HardState;
  #snapshot: SnapshotPoint | undefined;
  #savingSnapshot = false;
  #busy = false;
  /** Set once: the disk refused, or the log was closed. */
  #ended: HalonError | undefined;

  constructor(
    dir: string,
    parts: { readonly files: Segments; readonly snapshots: SnapshotFiles },
    found: {
      readonly entries: Entry[];
      readonly hardState: HardState;
      readonly snapshot: SnapshotPoint | undefined;
      readonly cut: Log["cut"];
    },
  ) {
    this.#dir = dir;
    this.#files = parts.files;
    this.#snapshots = parts.snapshots;
    this.#entries = found.entries;
    this.#firstIndex = parts.files.firstIndex;
    this.#durableIndex = this.lastIndex;
    this.#bytes = bytesOf(found.entries);
    this.#hardState = found.hardState;
    this.#snapshot = found.snapshot;
    this.cut = found.cut;
  }

  get firstIndex(): number {
    return this.#firstIndex;
  }

  get lastIndex(): number {
    return this.#firstIndex + this.#entries.length - 1;
  }

  get lastTerm(): number {
    const last = this.#entries.at(-1);
    if (last !== undefined) return last.term;
    return this.#snapshot?.index === this.#firstIndex - 1 ? this.#snapshot.term : 0;
  }

  get durableIndex(): number {
    return this.#durableIndex;
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get snapshot(): SnapshotPoint | undefined {
    return this.#snapshot;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(entries: readonly Entry[], holdMs = holdMsDefault): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const wrong = this.#whyNotNext(entries);
    if (wrong !== undefined) return Promise.reject(wrong);
    for (const entry of entries) this.#entries.push(entry);
    this.#bytes += bytesOf(entries);
    return new Promise((done, failed) => {
      this.#enqueue({ type: "append", entries, holdMs, done, failed });
    });
  }

  saveHardState(state: HardState): Promise<void> {
    return this.#change(async () => {
      await this.#files.saveHardState(state);
      this.#hardState = state;
    });
  }

  read(
    from: number,
    limit: { readonly entries?: number; readonly bytes?: number } = {},
  ): readonly Entry[] {
    if (from < this.#firstIndex) {
      throw bug(`expected an index from ${this.#firstIndex} on, got ${from}`);
    }
    const start = from - this.#firstIndex;
    const endMax = Math.min(this.#entries.length, start + (limit.entries ?? Infinity));
    let end = start;
    for (let bytes = 0; end < endMax; end++) {
      bytes += this.#entries[end]?.data.length ?? 0;
      if (end > start && bytes > (limit.bytes ?? Infinity)) break;
    }
    return this.#entries.slice(start, end);
  }

  truncateFrom(index: number): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const covered = Math.max(this.#firstIndex - 1, this.#snapshot?.index ?? 0);
    if (index <= covered) {
      return Promise.reject(bug(`entries up to ${covered} are in a snapshot; got ${index}`));
    }
    if (index > this.lastIndex) return this.#change(nothing);
    const dropped = this.#entries.splice(index - this.#firstIndex);
    this.#bytes -= bytesOf(dropped);
    return this.#change(async () => {
      await this.#files.truncateFrom(index);
      this.#durableIndex = Math.min(this.#durableIndex, index - 1);
    });
  }

  compactTo(index: number): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const covered = this.#snapshot?.index ?? 0;
    if (index > covered) {
      return Promise.reject(bug(`the snapshot covers entries up to ${covered}; got ${index}`));
    }
    if (index > this.lastIndex) {
      this.#entries = [];
      this.#bytes = 0;
      this.#firstIndex = index + 1;
      return this.#change(async () => {
        await this.#files.restartAt(index + 1);
        this.#durableIndex = index;
      });
    }
    return this.#change(async () => {
      await this.#files.compactTo(index);
      const dropped = this.#entries.splice(0, this.#files.firstIndex - this.#firstIndex);
      this.#bytes -= bytesOf(dropped);
      this.#firstIndex = this.#files.firstIndex;
    });
  }

  saveSnapshot(
    point: SnapshotPoint,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    return this.#putSnapshot(point, () => this.#snapshots.save(point, chunks));
  }

  loadSnapshot(): Snapshot | undefined {
    const point = this.#snapshot;
    return point === undefined ? undefined : { ...point, chunks: this.#snapshots.chunks(point) };
  }

  async openSnapshot(): Promise<OutgoingSnapshot | undefined> {
    const point = this.#snapshot;
    if (point === undefined) return undefined;
    try {
      return await this.#snapshots.open(point);
    } catch (error) {
      // A newer one took its place while it was being opened.
      if (this.#snapshot !== point) return undefined;
      throw error;
    }
  }

  async receiveSnapshot(offset: number, data: Uint8Array): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    try {
      await this.#snapshots.incoming.write(offset, data);
    } catch (error) {
      throw this.#end(diskRefused(this.#dir, error));
    }
  }

  receivedSnapshot(point: SnapshotPoint): AsyncIterable<Uint8Array> {
    return this.#snapshots.incoming.chunks(point);
  }

  async installSnapshot(point: SnapshotPoint, keepLog: boolean): Promise<void> {
    // What conflicts goes first: after a crash in between, the log ends before the snapshot and is emptied.
    if (!keepLog && point.index <= this.lastIndex) await this.truncateFrom(point.index);
    await this.#putSnapshot(point, () => this.#snapshots.incoming.adopt(point));
    if (!keepLog) await this.compactTo(point.index);
  }

  async close(): Promise<void> {
    if (this.#ended === undefined) {
      const drained = this.#change(nothing);
      this.#ended = new HalonError("HAL_STORE_FAILED", `the log in ${this.#dir} is closed`);
      await drained;
    }
    await this.#snapshots.incoming.close();
    await this.#files.close();
  }

  async #putSnapshot(point: SnapshotPoint, put: () => Promise<void>): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#savingSnapshot) throw bug("a snapshot is being saved already");
    const before = this.#snapshot?.index ?? 0;
    // One of the same index may take its place: the host's part of it has moved on.
    if (point.index < before) throw bug(`a snapshot at ${before} is held; got ${point.index}`);
    this.#savingSnapshot = true;
    try {
      await put();
      this.#snapshot = point;
      await this.#snapshots.removeBefore(point.index);
    } catch (error) {
      if (isDiskError(error)) throw this.#end(diskRefused(this.#dir, error));
      throw error;
    } finally {
      this.#savingSnapshot = false;
    }
  }

  #whyNotNext(entries: readonly Entry[]): HalonError | undefined {
    let index = this.lastIndex;
    let term = this.lastTerm;
    for (const entry of entries) {
      index += 1;
      if (entry.index !== index) return bug(`expected entry ${index}, got ${entry.index}`);
      if (entry.term < term) return bug(`expected a term from ${term} on, got ${entry.term}`);
      if (entry.data.length > entryBytesMax) {
        const message = `entry ${index} has ${entry.data.length} bytes; at most ${entryBytesMax} are allowed`;
        return new HalonError("HAL_TOO_LARGE", message);
      }
      term = entry.term;
    }
    return undefined;
  }

  #change(run: () => Promise<void>): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((done, failed) => {
      this.#enqueue({ type: "change", run, done, failed });
    });
  }

  #enqueue(job: Job): void {
    this.#queue.push(job);
    if (this.#busy) return;
    this.#busy = true;
    // Writers that go on from the same answer come in the same turn; they are to share one fsync.
    queueMicrotask(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    for (;;) {
      const group = takeGroup(this.#queue);
      const first = group[0];
      if (first === undefined) break;
      try {
        await this.#perform(first, group);
      } catch (error) {
        const ended = this.#end(diskRefused(this.#dir, error));
        for (const job of group) job.failed(ended);
        break;
      }
      for (const job of group) job.done();
      // Lets the writers that were answered come back, and the event loop turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#busy = false;
  }

  async #perform(first: Job, group: readonly Job[]): Promise<void> {
    if (first.type === "change") return first.run();
    const entries = group.flatMap((job) => (job.type === "append" ? job.entries : []));
    await this.#files.append(entries, first.holdMs);
    this.#durableIndex = entries.at(-1)?.index ?? this.#durableIndex;
  }

  /** Nothing is written from here on: after a failed fsync nobody knows what the disk holds. */
  #end(reason: HalonError): HalonError {
    this.#ended ??= reason;
    for (const job of this.#queue.splice(0)) job.failed(reason);
    return reason;
  }
}

/** The next change, or the appends up to the next change, as many as one fsync may cover. */
function takeGroup(queue: Job[]): readonly Job[] {
  let count = 0;
  let bytes = 0;
  let entries = 0;
  for (const job of queue) {
    if (job.type === "change") {
      if (count === 0) count = 1;
      break;
    }
    bytes += job.entries.reduce((sum, entry) => sum + frameBytes(entry), 0);
    entries += job.entries.length;
    if (count > 0 && (bytes > groupBytesMax || entries > groupEntriesMax)) break;
    count += 1;
  }
  return queue.splice(0, count);
}

/** A change that only waits for its turn. */
const nothing = (): Promise<void> => Promise.resolve();

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + entry.data.length, 0);
}

function isDiskError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function bug(message: string): HalonError {
  return new HalonError("HAL_INTERNAL", `Log: ${message}.`);
}
