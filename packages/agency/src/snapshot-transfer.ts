import { join } from "node:path";
import type { SnapshotPoint } from "./log.ts";
import type { LogFile, LogFs } from "./log-fs.ts";
import { checkSnapshotFile, readSnapshotFile, snapshotName } from "./snapshot-file.ts";

/** A snapshot file that is being sent; it can be read to its end even when a newer one has replaced it. */
export interface OutgoingSnapshot {
  readonly point: SnapshotPoint;
  readonly bytes: number;
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export async function openOutgoing(
  fs: LogFs,
  dir: string,
  point: SnapshotPoint,
): Promise<OutgoingSnapshot> {
  const path = join(dir, snapshotName(point.index));
  const file = await fs.open(path, "edit");
  return {
    point,
    bytes: await fs.size(path),
    read: (offset, length) => file.read(offset, length),
    close: () => file.close(),
  };
}

/** Opening the log removes what a crash left of it. */
const incomingName = "incoming.tmp";

/** The bytes of a snapshot file as they come in; one at a time, calls in order. */
export class IncomingSnapshot {
  readonly #fs: LogFs;
  readonly #dir: string;
  readonly #path: string;
  #file: LogFile | null = null;

  constructor(fs: LogFs, dir: string) {
    this.#fs = fs;
    this.#dir = dir;
    this.#path = join(dir, incomingName);
  }

  /** Offset 0 begins anew. */
  async write(offset: number, data: Uint8Array): Promise<void> {
    if (offset === 0) await this.drop();
    this.#file ??= await this.#fs.open(this.#path, "create");
    await this.#file.write(data, offset);
  }

  async drop(): Promise<void> {
    await this.close();
    if ((await this.#fs.readdir(this.#dir)).includes(incomingName)) {
      await this.#fs.unlink(this.#path);
    }
  }

  /** What came stays, and is dropped when the log is opened again. */
  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  /** The chunks of what came; `HAL_STORE_DAMAGED` when it is not the snapshot at `point` or not whole. */
  async *chunks(point: SnapshotPoint): AsyncGenerator<Uint8Array> {
    await checkSnapshotFile(this.#fs, this.#path, point);
    yield* readSnapshotFile(this.#fs, this.#path);
  }

  /** Makes it the snapshot at `point`, durably. */
  async adopt(point: SnapshotPoint): Promise<void> {
    await this.#file?.datasync();
    await this.close();
    await this.#fs.rename(this.#path, join(this.#dir, snapshotName(point.index)));
    await this.#fs.syncDir(this.#dir);
  }
}
