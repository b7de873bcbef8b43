import { HalonError } from "@halon/protocol";
import type { HostSnapshotRefusal, ReplicaEffect } from "./core/effect.ts";
import type { ReplicaInput } from "./core/input.ts";
import type { Log } from "./log.ts";
import { hostChunks, noChunks, snapshotBytes } from "./snapshot-state.ts";

type TakeSnapshot = Extract<ReplicaEffect, { readonly type: "takeSnapshot" }>;
type Outcome = Extract<ReplicaInput, { readonly type: "snapshotSaved" | "snapshotFailed" }>;

/** A snapshot that the host asked for. */
interface Asked {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly done: () => void;
  readonly failed: (error: HalonError) => void;
}

/** Largest chunk that the host may give. */
const hostChunkBytesMax = 16 * 1024 * 1024;
/** Longest wait for the host's next chunk. */
const hostChunkMs = 30_000;

/** Writes snapshots of a member: its tree, the slots of its host, and the host's state, new or as it was. */
export class SnapshotWriter {
  readonly #log: Log;
  readonly #cluster: string;
  readonly #asked = new Map<number, Asked>();
  /** Ends the reading of the host's chunks; another one for each snapshot. */
  #reading = new AbortController();
  #isEnded = false;

  constructor(log: Log, cluster: string) {
    this.#log = log;
    this.#cluster = cluster;
  }

  /** Keeps what the host gave for the snapshot `id` until `done` says what came of it. */
  ask(id: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#isEnded) return Promise.reject(notSaved("this member ends"));
    return new Promise((done, failed) => this.#asked.set(id, { chunks, done, failed }));
  }

  done(id: number, refusal: HostSnapshotRefusal | null): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (refusal === null) asked?.done();
    else asked?.failed(notSaved(refusals[refusal]));
  }

  /** Durable when it resolves; a host whose chunks do not come costs this snapshot alone. */
  async write(effect: TakeSnapshot): Promise<Outcome> {
    const { snapshot, state, records, hostId } = effect;
    const { index, term, configuration } = snapshot;
    this.#reading = new AbortController();
    const chunks = hostId === null ? this.#chunksOfLast(records.base) : this.#chunksOf(hostId);
    const head = { cluster: this.#cluster, configuration };
    let bytes = 0;
    const isEnded = (): boolean => this.#isEnded;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of snapshotBytes(head, state, { records, chunks })) {
        if (isEnded()) throw new Error("this member ends");
        bytes += chunk.length;
        yield chunk;
      }
    }
    try {
      await this.#log.saveSnapshot({ index, term }, counted());
    } catch (error) {
      if (!(error instanceof HostChunksError) || hostId === null) throw error;
      this.#asked.get(hostId)?.failed(notSaved(error.message, error.cause));
      return { type: "snapshotFailed", snapshot };
    }
    return { type: "snapshotSaved", snapshot, bytes };
  }

  /** The host's chunks are not waited for any more: the snapshot would be older than the one that comes. */
  interrupt(): void {
    this.#reading.abort(new Error("a snapshot of another member takes its place"));
  }

  end(): void {
    this.#isEnded = true;
    this.#reading.abort(new Error("this member ends"));
    for (const { failed } of this.#asked.values()) failed(notSaved("this member ends"));
    this.#asked.clear();
  }

  #chunksOf(hostId: number): AsyncIterable<Uint8Array> {
    const asked = this.#asked.get(hostId);
    if (asked === undefined) throw new Error(`nothing was asked under the number ${hostId}`);
    return givenChunks(asked.chunks, this.#reading.signal);
  }

  #chunksOfLast(base: number): AsyncIterable<Uint8Array> {
    const last = this.#log.loadSnapshot();
    return base === 0 || last === undefined ? noChunks() : hostChunks(last.chunks, base);
  }
}

/** The host's chunks did not come, or not as they must be. */
class HostChunksError extends Error {}

/** The chunks that the host gives, each within its time. */
async function* givenChunks(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await inTime(iterator.next(), signal);
      if (next.done === true) return;
      const { length } = next.value;
      if (length > hostChunkBytesMax) {
        throw new Error(`a chunk of ${length} bytes; at most ${hostChunkBytesMax} are allowed`);
      }
      yield next.value;
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HostChunksError(reason, { cause });
  } finally {
    // A host that hangs hangs here too: nobody waits for it.
    iterator.return?.().catch(() => undefined);
  }
}

async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => undefined;
  const ended = new Promise<never>((_, reject) => {
    const late = new Error(`no chunk of the host's state came within ${hostChunkMs / 1_000} s`);
    timer = setTimeout(() => reject(late), hostChunkMs);
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

const refusals: Readonly<Record<HostSnapshotRefusal, string>> = {
  installing: "a snapshot of another member takes the place of what is here",
  notCommitted: "its position is not committed here, or below 1",
  older: "the newest snapshot has the host's state as of a later position",
  busy: "another one waits to be saved; give one after the other",
  failed: "the host's state did not come",
};

function notSaved(reason: string, cause?: unknown): HalonError {
  return new HalonError("HAL_STORE_FAILED", `The host's state was not saved: ${reason}.`, {
    cause,
  });
}
