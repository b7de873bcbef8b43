import type { EngineSnapshot } from "../engine.ts";
import { EtcdFault, isFault } from "./fault.ts";
import type { Gateway } from "./gateway.ts";
import { type Keys, numberOf } from "./keys.ts";
import { type Found, get, put, remove, type Txn, type TxnAnswer } from "./ops.ts";
import { headOf } from "./view.ts";

/** One request: below the 1.5 MiB that etcd takes, and below its 128 operations. */
const batchBytesMax = 1024 * 1024;
const batchChunksMax = 64;

/** Carries out what only the owner may do; rejects when it owns no more. */
export type AsOwner = (operations: readonly object[]) => Promise<TxnAnswer>;

/** The one asked for must be newer than the one that is there. */
export async function saveSnapshot(
  keys: Keys,
  asOwner: AsOwner,
  position: number,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { found } = await asOwner([get({ key: keys.head })]);
  if ((headOf(found[0])?.position ?? 0) >= position) return;
  let batch: object[] = [];
  let bytes = 0;
  let count = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await asOwner(batch);
    batch = [];
    bytes = 0;
  };
  for await (const chunk of chunks) {
    if (bytes + chunk.length > batchBytesMax || batch.length === batchChunksMax) await flush();
    batch.push(put(keys.chunk(position, count), chunk));
    bytes += chunk.length;
    count += 1;
  }
  await flush();
  // What was there is whole until this moment, and this is whole from then on.
  await asOwner([put(keys.head, JSON.stringify({ position, chunks: count }))]);
  await asOwner([
    remove(keys.anyChunk, keys.chunk(position, 0)),
    remove(keys.chunk(position, count), keys.anyChunkEnd),
  ]);
}

export async function loadSnapshot(
  keys: Keys,
  gateway: Gateway,
  ask: (txn: Txn) => Promise<TxnAnswer>,
): Promise<EngineSnapshot | undefined> {
  const answer = await ask({ compare: [], success: [get({ key: keys.head })], failure: [] });
  const head = headOf(answer.found[0]);
  if (head === undefined) return undefined;
  const { position, chunks } = head;
  return { position, chunks: chunksOf(keys, gateway, ask, { position, chunks, ...answer }) };
}

/** As of the revision of the head: the owner may replace and delete them meanwhile. */
async function* chunksOf(
  keys: Keys,
  gateway: Gateway,
  ask: (txn: Txn) => Promise<TxnAnswer>,
  at: { readonly position: number; readonly chunks: number; readonly revision: number },
): AsyncGenerator<Uint8Array> {
  const { position, chunks, revision } = at;
  const pages = new Pages();
  for (let next = 0; next < chunks; ) {
    gateway.throwIfEnded();
    const page = await pages
      .read((limit) => {
        const end = Math.min(next + limit, chunks);
        const range = { key: keys.chunk(position, next), end: keys.chunk(position, end), revision };
        return ask({ compare: [], success: [get(range)], failure: [] });
      })
      .catch((error: unknown) => {
        throw isFault(error, "compacted") ? replaced(position) : error;
      });
    for (const kv of page.found[0]?.kvs ?? []) {
      if (numberOf(kv.key) !== next) throw replaced(position);
      next += 1;
      yield kv.value;
    }
    if (page.found[0]?.kvs.length === 0) throw replaced(position);
  }
}

const replaced = (position: number): EtcdFault =>
  new EtcdFault(
    "compacted",
    `etcd: the snapshot of slot ${position} was replaced while it was read. Load the newest one`,
  );

/** How many keys to ask for: as many as make about 2 MiB, going by the page before. */
export class Pages {
  #limit = 3;

  async read(ask: (limit: number) => Promise<TxnAnswer>): Promise<TxnAnswer> {
    for (;;) {
      try {
        const answer = await ask(this.#limit);
        this.#learn(answer.found[0]);
        return answer;
      } catch (error) {
        if (!isFault(error, "tooLarge") || this.#limit === 1) throw error;
        this.#limit = 1;
      }
    }
  }

  #learn(found: Found | undefined): void {
    const kvs = found?.kvs ?? [];
    if (kvs.length === 0) return;
    const bytes = kvs.reduce((sum, kv) => sum + kv.value.length, 0);
    const fitting = Math.floor((2 * 1024 * 1024) / Math.max(1, bytes / kvs.length));
    // Grows by steps: what comes next may be larger than what came before.
    this.#limit = Math.max(3, Math.min(fitting, this.#limit * 4, 1_000));
  }
}
