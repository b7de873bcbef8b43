import { HalonError } from "@halon/protocol";
import type { Engine, Slot } from "./engine.ts";
import { storeOf } from "./parts.ts";
import type { Store } from "./port.ts";

/** What several handles share, as a disk or a cluster would be shared. */
export interface MemoryState {
  epoch: number;
  /** The handle that owns the store. */
  owner: { readonly address: string | null; readonly lose: (reason: string) => void } | undefined;
  firstPosition: number;
  slots: Slot[];
  snapshot: { readonly position: number; readonly chunks: readonly Uint8Array[] } | undefined;
  readonly commitListeners: Set<() => void>;
  readonly ownerListeners: Set<() => void>;
}

export function memoryState(): MemoryState {
  return {
    epoch: 0,
    owner: undefined,
    firstPosition: 1,
    slots: [],
    snapshot: undefined,
    commitListeners: new Set(),
    ownerListeners: new Set(),
  };
}

/** A store that lasts as long as `state` does. The handle that leads last owns it. */
export function openMemoryStore(state: MemoryState = memoryState()): Promise<Store> {
  return storeOf(memoryEngine(state));
}

/** `address` is what `owner` says while this handle owns the store. */
export function memoryEngine(state: MemoryState, address: string | null = null): Engine {
  const onCommit = listeners(state.commitListeners);
  const onOwner = listeners(state.ownerListeners);
  const onLost = listeners(new Set<(reason: string) => void>());
  let epoch = 0;
  let isClosed = false;
  const lose = (reason: string): void => {
    for (const listener of onLost.all()) listener(reason);
    onLost.clear();
  };
  const own = { address, lose };
  const refuseClosed = (): void => {
    if (isClosed) throw new HalonError("HAL_STORE_FAILED", "the store is closed");
  };
  return {
    get epoch() {
      return epoch;
    },
    get firstPosition() {
      return state.firstPosition;
    },
    snapshotsAreOwn: false,
    get owner() {
      return state.owner?.address ?? null;
    },
    onOwner: onOwner.add,
    async lead() {
      refuseClosed();
      if (epoch !== 0) throw new HalonError("HAL_STORE_FAILED", "a handle leads once");
      state.epoch += 1;
      epoch = state.epoch;
      changeOwner(state, own, `epoch ${epoch} owns the store now`);
    },
    async confirm() {
      return !isClosed && state.owner === own;
    },
    onLost: onLost.add,
    async append(data, at) {
      refuseClosed();
      if (at.epoch !== state.epoch || state.owner !== own)
        return { type: "fenced", epoch: state.epoch };
      if (at.position !== state.firstPosition + state.slots.length) return { type: "conflict" };
      state.slots.push({ position: at.position, epoch, data: Uint8Array.from(data) });
      for (const listener of state.commitListeners) listener();
      return { type: "committed" };
    },
    async read(from) {
      const start = from - state.firstPosition;
      return start < 0 ? [] : state.slots.slice(start, start + 64);
    },
    onCommit: onCommit.add,
    async saveSnapshot(position, chunks) {
      const kept: Uint8Array[] = [];
      for await (const chunk of chunks) kept.push(Uint8Array.from(chunk));
      if (position > (state.snapshot?.position ?? 0)) state.snapshot = { position, chunks: kept };
    },
    async loadSnapshot() {
      const { snapshot } = state;
      return snapshot && { position: snapshot.position, chunks: iterate(snapshot.chunks) };
    },
    async compactTo(position) {
      const count = Math.max(0, position - state.firstPosition + 1);
      state.slots.splice(0, count);
      state.firstPosition += count;
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      onCommit.clear();
      onOwner.clear();
      onLost.clear();
      if (state.owner === own) changeOwner(state, undefined, "");
    },
  };
}

function changeOwner(state: MemoryState, next: MemoryState["owner"], reason: string): void {
  const before = state.owner;
  state.owner = next;
  if (next !== undefined) before?.lose(reason);
  for (const listener of state.ownerListeners) listener();
}

/** A handle's own listeners among those that all handles share. */
function listeners<Listener>(shared: Set<Listener>): {
  add(listener: Listener): () => void;
  all(): readonly Listener[];
  clear(): void;
} {
  const own = new Set<Listener>();
  const remove = (listener: Listener): void => {
    shared.delete(listener);
    own.delete(listener);
  };
  return {
    add(listener) {
      shared.add(listener);
      own.add(listener);
      return () => remove(listener);
    },
    all: () => [...own],
    clear() {
      for (const listener of own) remove(listener);
    },
  };
}

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
