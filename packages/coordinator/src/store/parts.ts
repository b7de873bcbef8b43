import { HalonError } from "@halon/protocol";
import type { Engine, Slot } from "./engine.ts";
import type { AppendAt, Appended, Store, StoredRecord } from "./port.ts";
import { RecordIndex } from "./record-index.ts";
import { encodeRecord, recordBytesMax } from "./slot.ts";
import { loadSnapshot, withIndex } from "./snapshot.ts";

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
  let appending: Promise<unknown> = Promise.resolve();

  const read = (from: number): AsyncGenerator<StoredRecord> => readRecords(engine, records, from);

  return {
    epoch: engine.epoch,
    append(data, at) {
      const appended = appending.then(() => append(engine, records, data, at));
      appending = appended.catch(() => undefined);
      return appended;
    },
    read,
    follow(from, listener) {
      records.refuseDropped(from);
      const follower = follow(from, read, listener);
      followers.add(follower);
      follower.wake();
      return () => {
        follower.end();
        followers.delete(follower);
      };
    },
    async saveSnapshot(index, chunks) {
      await records.catchUp();
      if (index <= records.snapshotIndex) return;
      const place = records.place(index);
      if (place === undefined) {
        const message = `Store: expected a committed index for a snapshot, got ${index}; the last is ${records.next - 1}.`;
        throw new HalonError("HAL_INTERNAL", message);
      }
      await engine.saveSnapshot(place.position, withIndex(index, chunks));
      while ([...followers].some((follower) => follower.next() <= index)) {
        await Promise.all([...followers].map((follower) => follower.idle()));
      }
      records.drop(index);
      await engine.compactTo(place.position);
    },
    loadSnapshot: () => loadSnapshot(engine),
    async close() {
      stopListening();
      for (const follower of followers) follower.end();
      followers.clear();
      await appending;
      await engine.close();
    },
  };
}

async function append(
  engine: Engine,
  records: RecordIndex,
  data: Uint8Array,
  at: AppendAt,
): Promise<Appended> {
  if (at.epoch !== engine.epoch) return { type: "fenced", epoch: engine.epoch };
  if (data.length > recordBytesMax) {
    const message = `A record has ${data.length} bytes; at most ${recordBytesMax} are allowed.`;
    throw new HalonError("HAL_TOO_LARGE", message);
  }
  // Also after an append of unknown outcome: its slots are found here, and a lost reply shows as a conflict.
  await records.catchUp();
  if (at.index !== records.next) return { type: "conflict", next: records.next };
  let position = records.nextPosition;
  for (const slot of encodeRecord(at.index, data)) {
    const appended = await engine.append(slot, { position, epoch: at.epoch });
    if (appended.type === "fenced") return appended;
    if (appended.type === "conflict") {
      await records.catchUp();
      return { type: "conflict", next: records.next };
    }
    position += 1;
  }
  await records.catchUp();
  return { type: "committed", index: at.index };
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
  for (let index = from; index < end; index++) {
    yield await records.load(index, slotAt);
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
): Follower {
  let next = from;
  let isEnded = false;
  let isWaiting = false;
  let turn = Promise.resolve();
  const deliver = async (): Promise<void> => {
    isWaiting = false;
    if (isEnded) return;
    for await (const record of read(next)) {
      if (isEnded) return;
      next = record.index + 1;
      listener(record);
    }
  };
  return {
    next: () => next,
    wake() {
      if (isWaiting) return;
      isWaiting = true;
      turn = turn.then(deliver);
    },
    idle: () => turn,
    end() {
      isEnded = true;
    },
  };
}
