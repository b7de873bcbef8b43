import { HalonError } from "@halon/protocol";
import type { Engine, Slot } from "./engine.ts";
import type { AppendAt, Appended, Store, StoredRecord } from "./port.ts";
import { RecordIndex } from "./record-index.ts";
import { encodeRecord, recordBytesMax } from "./slot.ts";
import { loadSnapshot, withIndex } from "./snapshot.ts";

/** How long it may take to find out whether the store is still this handle's. */
const confirmMs = 1_000;
/** How long a reader goes on without a turn of the event loop. */
const readMs = 10;

interface Follower {
  /** The record that it gets next. */
  readonly next: () => number;
  readonly wake: () => void;
  /** Settles when everything committed before the last `wake` was delivered. */
  readonly idle: () => Promise<void>;
  readonly end: () => void;
}

/** Makes a store of records of any size out of an engine of slots. */
export async function storeOf(engine: Engine): Promise<Store> {
  const records = new RecordIndex(engine);
  await records.catchUp();
  const followers = new Set<Follower>();
  const stopListening = engine.onCommit(() => {
    for (const follower of followers) follower.wake();
  });
  const ownership = watchOwnership(engine);
  const appends = new Appends(engine, records);
  const read = (from: number): AsyncGenerator<StoredRecord> => readRecords(engine, records, from);

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    stopListening();
    ownership.close();
    for (const follower of followers) follower.end();
    followers.clear();
    await appends.idle();
    await engine.close();
  };

  return {
    get epoch() {
      return engine.epoch;
    },
    snapshotsAreOwn: engine.snapshotsAreOwn,
    get owner() {
      return engine.owner;
    },
    onOwner: (listener) => engine.onOwner(listener),
    async lead() {
      await engine.lead();
      await records.catchUp();
      // What was learned here may be told to the engine's listeners later.
      for (const follower of followers) follower.wake();
      return { epoch: engine.epoch, index: records.next - 1 };
    },
    confirm: () => (ownership.isLost() ? Promise.resolve(false) : confirmed(engine)),
    onLost: ownership.onLost,
    append: (data, at) => appends.append(data, at),
    read,
    follow(from, listener, broken) {
      records.refuseDropped(from);
      const follower: Follower = follow(from, read, listener, (error) => {
        followers.delete(follower);
        broken?.(error);
      });
      followers.add(follower);
      follower.wake();
      return () => {
        follower.end();
        followers.delete(follower);
      };
    },
    async saveSnapshot(index, chunks) {
      if (!engine.snapshotsAreOwn && (engine.epoch === 0 || ownership.isLost())) {
        const message = "The snapshots of this store are its owner's; this handle does not own it.";
        throw new HalonError("HAL_STORE_FAILED", message);
      }
      await records.catchUp();
      if (index <= records.snapshotIndex) return;
      const place = records.place(index);
      if (place === undefined) {
        const message = `Store: expected a committed index for a snapshot, got ${index}; the last is ${records.next - 1}.`;
        throw new HalonError("HAL_INTERNAL", message);
      }
      await engine.saveSnapshot(place.position, withIndex(index, chunks));
      for (const follower of followers) if (follower.next() <= index) follower.wake();
      await Promise.all([...followers].map((follower) => follower.idle()));
      records.drop(index);
      await engine.compactTo(place.position);
    },
    loadSnapshot: () => loadSnapshot(engine),
    close() {
      closed ??= close();
      return closed;
    },
  };
}

/** False when it cannot be found out in time. */
async function confirmed(engine: Engine): Promise<boolean> {
  if (engine.epoch === 0) return false;
  let late: NodeJS.Timeout | undefined;
  const tooLate = new Promise<boolean>((resolve) => {
    late = setTimeout(() => resolve(false), confirmMs);
  });
  try {
    return await Promise.race([engine.confirm(), tooLate]);
  } catch {
    // The store or the way to it is gone: nothing is confirmed.
    return false;
  } finally {
    clearTimeout(late);
  }
}

/** Whoever asks late whether ownership was lost hears of it too. */
function watchOwnership(engine: Engine): {
  readonly onLost: Store["onLost"];
  isLost(): boolean;
  close(): void;
} {
  const listeners = new Set<(reason: string) => void>();
  let lost: string | undefined;
  const stop = engine.onLost((reason) => {
    lost = reason;
    for (const listener of [...listeners]) listener(reason);
    listeners.clear();
  });
  return {
    onLost(listener) {
      const told = (reason: string): void => {
        if (listeners.delete(told)) listener(reason);
      };
      listeners.add(told);
      const reason = lost;
      if (reason !== undefined) queueMicrotask(() => told(reason));
      return () => void listeners.delete(told);
    },
    isLost: () => lost !== undefined,
    close() {
      stop();
      listeners.clear();
    },
  };
}

/** Stores one record after the other. */
class Appends {
  readonly #engine: Engine;
  readonly #records: RecordIndex;
  #turn: Promise<unknown> = Promise.resolve();
  /** What was appended last may be there or not. */
  #isUncertain = true;

  constructor(engine: Engine, records: RecordIndex) {
    this.#engine = engine;
    this.#records = records;
  }

  append(data: Uint8Array, at: AppendAt): Promise<Appended> {
    const appended = this.#turn.then(() => this.#append(data, at));
    this.#turn = appended.catch(() => undefined);
    return appended;
  }

  async idle(): Promise<void> {
    await this.#turn;
  }

  async #append(data: Uint8Array, at: AppendAt): Promise<Appended> {
    const { epoch } = this.#engine;
    if (at.epoch !== epoch || epoch === 0) return { type: "fenced", epoch };
    if (data.length > recordBytesMax) {
      const message = `A record has ${data.length} bytes; at most ${recordBytesMax} are allowed.`;
      throw new HalonError("HAL_TOO_LARGE", message);
    }
    const records = this.#records;
    // The slots of an append of unknown outcome are found here, and a lost reply shows as a conflict.
    if (this.#isUncertain) await records.catchUp();
    if (at.index !== records.next) return { type: "conflict", next: records.next };
    this.#isUncertain = true;
    let position = records.nextPosition;
    for (const slot of encodeRecord(at.index, data)) {
      const appended = await this.#engine.append(slot, { position, epoch });
      if (appended.type === "fenced") return appended;
      if (appended.type === "conflict") {
        await records.catchUp();
        return { type: "conflict", next: records.next };
      }
      await records.committed({ position, epoch, data: slot });
      position += 1;
    }
    if (records.next <= at.index) await records.catchUp();
    this.#isUncertain = false;
    return { type: "committed", index: at.index };
  }
}

async function* readRecords(
  engine: Engine,
  records: RecordIndex,
  from: number,
): AsyncGenerator<StoredRecord> {
  records.refuseDropped(from);
  await records.catchUp();
  const end = records.next;
  const slotAt = slotReader(engine);
  let turnedAt = performance.now();
  for (let index = from; index < end; index++) {
    yield await records.load(index, slotAt);
    // A long log must not keep the thread from everything else.
    if (performance.now() - turnedAt < readMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    turnedAt = performance.now();
  }
}

/** Reads slots one by one while asking the engine for many at a time. */
function slotReader(engine: Engine): (position: number) => Promise<Slot | undefined> {
  let page: readonly Slot[] = [];
  return async (position) => {
    const held = page[position - (page[0]?.position ?? Infinity)];
    if (held !== undefined) return held;
    page = await engine.read(position);
    return page[0]?.position === position ? page[0] : undefined;
  };
}

function follow(
  from: number,
  read: (from: number) => AsyncGenerator<StoredRecord>,
  listener: (record: StoredRecord) => void,
  broken: (error: unknown) => void,
): Follower {
  let next = from;
  let isEnded = false;
  let isWaiting = false;
  let turn = Promise.resolve();
  const deliver = async (): Promise<void> => {
    isWaiting = false;
    if (isEnded) return;
    try {
      for await (const record of read(next)) {
        if (isEnded) return;
        next = record.index + 1;
        listener(record);
      }
    } catch (error) {
      if (isEnded) return;
      isEnded = true;
      broken(error);
    }
  };
  return {
    next: () => next,
    wake() {
      if (isWaiting || isEnded) return;
      isWaiting = true;
      turn = turn.then(deliver);
    },
    idle: () => turn,
    end() {
      isEnded = true;
    },
  };
}
