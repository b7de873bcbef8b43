import type { Log } from "./log.ts";
import type { OutgoingSnapshot } from "./snapshot-transfer.ts";

/** Bytes of one message. */
export const snapshotChunkBytes = 256 * 1024;

/** Reads parts of the snapshot that is being sent, and keeps its file open meanwhile. */
export class SnapshotSender {
  readonly #log: Log;
  #open: Promise<OutgoingSnapshot | undefined> | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Null when the snapshot at `index` is not there any more. */
  async read(
    index: number,
    offset: number,
  ): Promise<{ readonly data: Uint8Array; readonly done: boolean } | null> {
    let file = await this.#file();
    if (file?.point.index !== index) {
      this.close();
      file = await this.#file();
    }
    if (file === undefined || file.point.index !== index) return null;
    const data = await file.read(offset, snapshotChunkBytes);
    return { data, done: offset + data.length >= file.bytes };
  }

  #file(): Promise<OutgoingSnapshot | undefined> {
    this.#open ??= this.#log.openSnapshot();
    return this.#open;
  }

  close(): void {
    const open = this.#open;
    this.#open = null;
    // A file that is only read has nothing to lose when its end fails.
    open?.then((file) => file?.close()).catch(() => undefined);
  }
}
