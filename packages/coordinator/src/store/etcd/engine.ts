import { HalonError } from "@halon/protocol";
import type { Engine, Slot, SlotAppended } from "../engine.ts";
import { storeFailed } from "./fault.ts";
import { Gateway } from "./gateway.ts";
import { type Keys, keysOf } from "./keys.ts";
import { get, isAbsent, put, remove, type Txn, type TxnAnswer } from "./ops.ts";
import { Owning } from "./owning.ts";
import { loadSeen, type Seen, saveSeen } from "./seen.ts";
import { loadSnapshot, Pages, saveSnapshot } from "./snapshot.ts";
import { parseEtcdUrl } from "./url.ts";
import { encodeSlot, slotOf, textOf, View } from "./view.ts";
import { Watcher } from "./watch.ts";

export interface EtcdOptions {
  /** `etcd://host:port[,host:port…][/prefix]`; the prefix is `halon` when none is given. */
  readonly url: string;
  /** Whose log it is: a prefix belongs to one cluster for good. */
  readonly clusterId: string;
  /** This node as others reach it, `host:port`. */
  readonly address: string;
  /**
   * A file that keeps how far etcd had come, so that a store that was restored from an older copy is refused also by a
   * handle opened later. Without it only an open handle notices.
   */
  readonly seenFile?: string;
}

/** How long reads are tried again while etcd is unavailable. */
const readMs = 5_000;
/** Slots that go in one transaction when they are dropped. */
const dropCount = 1_000;
/** How often what was seen is written down. */
const seenMs = 2_000;

/**
 * Opens the log of a cluster in etcd 3.4 or newer, over its JSON gateway (rfc/0006).
 *
 * etcd must take requests of 1.5 MiB, as it does by default, and compact its history by itself
 * (`--auto-compaction-retention`): what is dropped here takes space there until then. TLS and users are not supported.
 *
 * Errors: HAL_CONFIG_INVALID for the URL, HAL_CONFLICT when the prefix belongs to another cluster, HAL_STORE_FAILED
 * when no endpoint answers within 5 s, or etcd is behind what an earlier handle has seen.
 */
export async function openEtcdEngine(options: EtcdOptions): Promise<Engine> {
  const { endpoints, prefix } = parseEtcdUrl(options.url);
  const { address, seenFile } = options;
  const seen = seenFile === undefined ? undefined : await loadSeen(seenFile);
  const handle = new Handle({ endpoints, prefix, address, seenFile, seen });
  try {
    await handle.open(options.clusterId, prefix);
  } catch (error) {
    await handle.close();
    throw storeFailed(error);
  }
  return engineOf(handle);
}

/** An object of its own functions: it may be spread and wrapped. */
function engineOf(handle: Handle): Engine {
  const { view, owning } = handle;
  return {
    snapshotsAreOwn: false,
    get epoch() {
      return owning.epoch;
    },
    get firstPosition() {
      return view.firstPosition;
    },
    get owner() {
      return view.owner?.address ?? null;
    },
    onOwner: (listener) => listen(view.onOwner, listener),
    lead: () => owning.lead().catch(rethrow),
    confirm: () => owning.confirm(),
    onLost: (listener) => owning.onLost(listener),
    append: (data, at) => handle.append(data, at).catch(rethrow),
    read: (from) => handle.read(from).catch(rethrow),
    onCommit: (listener) => listen(view.onCommit, listener),
    saveSnapshot: (position, chunks) => handle.saveSnapshot(position, chunks).catch(rethrow),
    async loadSnapshot() {
      const snapshot = await handle.loadSnapshot().catch(rethrow);
      return snapshot && { position: snapshot.position, chunks: failing(snapshot.chunks) };
    },
    compactTo: (position) => handle.compactTo(position).catch(rethrow),
    close: () => handle.close(),
  };
}

const rethrow = (error: unknown): never => {
  throw storeFailed(error);
};

function listen(listeners: Set<() => void>, listener: () => void): () => void {
  // One function may be given twice.
  const own = (): void => listener();
  listeners.add(own);
  return () => listeners.delete(own);
}

async function* failing(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw storeFailed(error);
  }
}

/** One opening of the store: what it knows, whether it owns it, and the way to etcd. */
class Handle {
  readonly view: View;
  readonly owning: Owning;
  readonly #gateway: Gateway;
  readonly #keys: Keys;
  readonly #watcher: Watcher;
  readonly #pages = new Pages();
  /** Whether the last slot that the view knows is the last one: not after an append of unknown outcome. */
  #isTailCertain = true;

  readonly #seenFile: string | undefined;
  #savedRevision: number;
  #saving: NodeJS.Timeout | undefined;

  constructor(at: {
    readonly endpoints: readonly string[];
    readonly prefix: string;
    readonly address: string;
    readonly seenFile: string | undefined;
    readonly seen: Seen | undefined;
  }) {
    const gateway = new Gateway(at.endpoints, at.seen, (reason) => this.#end(reason));
    const keys = keysOf(at.prefix);
    this.#seenFile = at.seenFile;
    this.#savedRevision = at.seen?.revision ?? 0;
    const view = new View(gateway, keys);
    const watcher = new Watcher(gateway, keys, view);
    this.#gateway = gateway;
    this.#keys = keys;
    this.view = view;
    this.#watcher = watcher;
    this.owning = new Owning({ gateway, keys, view, watcher }, at.address);
  }

  async open(clusterId: string, prefix: string): Promise<void> {
    const { cluster } = this.#keys;
    // Looked for first: an etcd that is out of space can be followed yet.
    const found = (await this.#text(cluster)) || (await this.#claim(cluster, clusterId));
    if (found !== clusterId) {
      const message = `etcd: the prefix '${prefix}' belongs to the cluster ${found}, and this is ${clusterId}. Give each cluster a prefix of its own: --store etcd://…/<prefix>`;
      throw new HalonError("HAL_CONFLICT", message, { details: { found, clusterId, prefix } });
    }
    await this.#within(readMs, () => this.view.survey());
    await this.#saveSeen();
    this.#saving = setInterval(() => void this.#saveSeen(), seenMs);
    this.#watcher.start();
  }

  async #text(key: string): Promise<string> {
    const { found } = await this.#ask({ compare: [], success: [get({ key })], failure: [] });
    return textOf(found[0]?.kvs[0]);
  }

  /** Makes the prefix this cluster's, unless another was faster; whose it is then. */
  async #claim(key: string, clusterId: string): Promise<string> {
    const success = [put(key, clusterId)];
    const failure = [get({ key })];
    const answer = await this.#ask({ compare: [isAbsent(key)], success, failure });
    return answer.succeeded ? clusterId : textOf(answer.found[0]?.kvs[0]);
  }

  /** Sends the same transaction until etcd has said how it ended: it cannot be done twice. */
  async append(
    data: Uint8Array,
    at: { readonly position: number; readonly epoch: number },
  ): Promise<SlotAppended> {
    this.#gateway.throwIfEnded();
    const { owning, view } = this;
    if (!owning.isLeading || at.epoch !== owning.epoch) return this.#fenced();
    if (!this.#isTailCertain) await this.#within(readMs, () => view.survey());
    this.#isTailCertain = true;
    if (at.position !== view.lastPosition + 1) return { type: "conflict" };
    const key = this.#keys.log(at.position);
    const value = encodeSlot(at.epoch, data);
    const txn: Txn = {
      compare: [...owning.compare, isAbsent(key)],
      success: [put(key, value)],
      failure: [get({ key: this.#keys.owner }), get({ key })],
    };
    this.#isTailCertain = false;
    const { succeeded, found, revision } = await this.#gateway
      .retry(
        () => this.#gateway.txn(txn),
        () => owning.isLeading,
      )
      .catch((error: unknown) => {
        const why = owning.lostReason ?? (error instanceof Error ? error.message : String(error));
        const message = `Whether slot ${at.position} was stored is unknown: ${why}.`;
        throw new HalonError("HAL_STORE_FAILED", message, { cause: error });
      });
    const [owner, slot] = found;
    const stored = slot?.kvs[0];
    // Stored by an earlier try, of which no answer came.
    const isThere = stored !== undefined && Buffer.compare(stored.value, value) === 0;
    this.#isTailCertain = succeeded || isThere;
    if (succeeded || isThere) {
      // A copy: the caller may use its bytes again.
      view.takeSlot({ position: at.position, epoch: at.epoch, data: value.subarray(8) });
    }
    if (!succeeded) view.takeOwner(owner?.kvs[0], revision);
    if (succeeded || isThere) return { type: "committed" };
    return owning.isLeading ? { type: "conflict" } : this.#fenced();
  }

  async read(from: number): Promise<readonly Slot[]> {
    this.#gateway.throwIfEnded();
    const { view } = this;
    const recent = view.recent(from);
    if (recent.length > 0) return recent;
    // Nobody but the owner adds to the log.
    if (this.owning.isLeading && this.#isTailCertain && from > view.lastPosition) return [];
    if (from < view.firstPosition) return [];
    const { firstPosition, lastPosition } = view;
    const answer = await this.#pages.read((limit) => {
      const slots = get({ key: this.#keys.log(from), end: this.#keys.log(from + limit) });
      const first = get({ key: this.#keys.log(firstPosition), keysOnly: true });
      return this.#ask({ compare: [], success: [slots, first], failure: [] });
    });
    const [slots, first] = answer.found;
    const read = (slots?.kvs ?? []).map(slotOf);
    for (const slot of read) view.takeSlot(slot);
    const isFirstGone = firstPosition <= lastPosition && first?.count === 0;
    // Another handle has dropped slots: the first position tells the reader so.
    if (isFirstGone) await this.#within(readMs, () => view.survey());
    return read[0]?.position === from ? read : [];
  }

  async saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { owning } = this;
    await saveSnapshot(this.#keys, (operations) => owning.asOwner(operations), position, chunks);
  }

  loadSnapshot(): ReturnType<typeof loadSnapshot> {
    return loadSnapshot(this.#keys, this.#gateway, (txn) => this.#ask(txn));
  }

  async compactTo(position: number): Promise<void> {
    const { owning, view } = this;
    const last = Math.min(position, view.lastPosition);
    while (owning.isLeading && view.firstPosition <= last) {
      const end = Math.min(view.firstPosition + dropCount, last + 1);
      await owning.asOwner([remove(this.#keys.log(view.firstPosition), this.#keys.log(end))]);
      view.dropped(end - 1);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#saving);
    await this.#saveSeen();
    this.#watcher.close();
    this.view.onCommit.clear();
    this.view.onOwner.clear();
    await this.owning.close();
    this.#gateway.end("the store is closed");
  }

  #fenced(): SlotAppended {
    return { type: "fenced", epoch: Math.max(this.owning.epoch, this.view.epoch) };
  }

  /** The store is not what it was: nothing that was known of it holds. */
  #end(why: string): void {
    const file = this.#seenFile;
    const remedy = file === undefined ? "" : `; to go on with what is there, remove ${file}`;
    const reason = `${why}. See which records are left before Halon is started again${remedy}`;
    this.#watcher.close();
    this.#gateway.end(reason);
    this.owning.lose(reason);
    this.view.wake();
  }

  async #saveSeen(): Promise<void> {
    const { seen } = this.#gateway;
    if (this.#seenFile === undefined || seen === undefined) return;
    if (seen.revision <= this.#savedRevision) return;
    this.#savedRevision = seen.revision;
    // The log does not depend on it: a disk that is full is for others to say.
    await saveSeen(this.#seenFile, seen).catch(() => undefined);
  }

  #ask(txn: Txn): Promise<TxnAnswer> {
    return this.#within(readMs, () => this.#gateway.txn(txn));
  }

  #within<T>(ms: number, once: () => Promise<T>): Promise<T> {
    const end = performance.now() + ms;
    return this.#gateway.retry(once, () => performance.now() < end);
  }
}
