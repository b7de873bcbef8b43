import { toErrorData } from "@halon/protocol";
import { type CoordinatorState, captureSnapshot, isSnapshotDue } from "./core/index.ts";
import type { Recovered } from "./recover.ts";
import type { Store } from "./store/port.ts";

const chunkBytes = 1024 * 1024;
/** How long the thread does nothing else than to encode. */
const sliceMs = 5;

export interface SnapshotListener {
  /** The records up to now are about to leave the store; resolves when history no longer needs them there. */
  beforeSnapshot(): Promise<void>;
  warning(text: string): void;
}

/** Saves the state where that is due, one snapshot at a time, while records go on. */
export class Snapshots {
  readonly #store: Store;
  readonly #listener: SnapshotListener;
  #index: number;
  #snapshotBytes: number;
  #recordBytes: number;
  #saving: Promise<void> | undefined;

  constructor(store: Store, recovered: Recovered, listener: SnapshotListener) {
    this.#store = store;
    this.#listener = listener;
    this.#index = recovered.snapshot.index;
    this.#snapshotBytes = recovered.snapshot.bytes;
    this.#recordBytes = recovered.recordBytes;
  }

  /** Called for each record. */
  count(recordBytes: number): void {
    this.#recordBytes += recordBytes;
  }

  /** Reads the state at once where a snapshot is due; it may change afterwards. */
  saveIfDue(state: CoordinatorState): void {
    if (this.#saving !== undefined) return;
    const records = state.index - this.#index;
    const due = { records, recordBytes: this.#recordBytes, snapshotBytes: this.#snapshotBytes };
    if (!isSnapshotDue(due)) return;
    this.#index = state.index;
    this.#recordBytes = 0;
    this.#saving = this.#save(state.index, captureSnapshot(state)).finally(() => {
      this.#saving = undefined;
    });
  }

  /** Resolves when none is being saved. */
  async idle(): Promise<void> {
    await this.#saving;
  }

  async #save(index: number, pieces: Iterable<string>): Promise<void> {
    let bytes = 0;
    const count = (chunk: Uint8Array): void => {
      bytes += chunk.length;
    };
    try {
      await this.#listener.beforeSnapshot();
      await this.#store.saveSnapshot(index, chunksOf(pieces, count));
      this.#snapshotBytes = bytes;
    } catch (error) {
      // Nothing is lost by it but room: the next one that is due covers these records too.
      this.#listener.warning(
        `the snapshot of record ${index} was not saved: ${toErrorData(error).message}`,
      );
    }
  }
}

/** Puts pieces of text together to chunks that a store takes, and lets the thread do other things in between. */
async function* chunksOf(
  pieces: Iterable<string>,
  count: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  let turnedAt = performance.now();
  const chunk = (): Uint8Array => {
    const whole = Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
    count(whole);
    return whole;
  };
  for (const piece of pieces) {
    const encoded = encoder.encode(piece);
    for (let start = 0; start < encoded.length; ) {
      const some = encoded.subarray(start, start + chunkBytes - bytes);
      waiting.push(some);
      bytes += some.length;
      start += some.length;
      if (bytes === chunkBytes) yield chunk();
    }
    if (performance.now() - turnedAt < sliceMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    turnedAt = performance.now();
  }
  if (bytes > 0) yield chunk();
}
