import { HalonError } from "@halon/protocol";
import type { Engine, Slot } from "./engine.ts";
import { storeOf } from "./parts.ts";
import type { Store } from "./port.ts";

/** What several handles share, as a disk or a cluster would be shared. */
export interface MemoryState {
  epoch: number;
  firstPosition: number;
  slots: Slot[];
  snapshot: { readonly position: number; readonly chunks: readonly Uint8Array[] } | undefined;
  readonly listeners: Set<() => void>;
}

export function memoryState(): MemoryState {
  return { epoch: 0, firstPosition: 1, slots: [], snapshot: undefined, listeners: new Set() };
}

/** A store that lasts as long as `state` does. Opening another one on the same state fences this one. */
export function openMemoryStore(state: MemoryState = memoryState()): Promise<Store> {
  return storeOf(memoryEngine(state));
}

export function memoryEngine(state: MemoryState): Engine {
  state.epoch += 1;
  const { epoch } = state;
  const own = new Set<() => void>();
  let isClosed = false;
  return {
    epoch,
    get firstPosition() {
      return state.firstPosition;
    },
    async append(data, at) {
      if (isClosed) throw new HalonError("HAL_STORE_FAILED", "the store is closed");
      if (at.epoch !== state.epoch) return { type: "fenced", epoch: state.epoch };
      if (at.position !== state.firstPosition + state.slots.length) return { type: "conflict" };
      state.slots.push({ position: at.position, epoch, data: Uint8Array.from(data) });
      for (const listener of state.listeners) listener();
      return { type: "committed" };
    },
    async read(from) {
      const start = from - state.firstPosition;
      return start < 0 ? [] : state.slots.slice(start, start + 64);
    },
    onCommit(listener) {
      state.listeners.add(listener);
      own.add(listener);
      return () => state.listeners.delete(listener);
    },
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
      isClosed = true;
      for (const listener of own) state.listeners.delete(listener);
    },
  };
}

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
