import { type Log, openLog } from "@halon/agency";
import { HalonError } from "@halon/protocol";
import type { Engine } from "./engine.ts";
import { storeOf } from "./parts.ts";
import type { Store } from "./port.ts";

export interface FileStoreOptions {
  /** `<data-dir>/agency`. The caller makes sure that no other process uses it. */
  readonly dir: string;
  readonly segmentBytes?: number;
}

/** A store in files of one node. Throws `HAL_STORE_DAMAGED` and `HAL_STORE_FAILED` as the log does. */
export async function openFileStore(options: FileStoreOptions): Promise<Store> {
  return storeOf(await openFileEngine(options));
}

/** The epoch is the log's term. Nobody else can own the files, so ownership is never lost and has no address. */
export async function openFileEngine(options: FileStoreOptions): Promise<Engine> {
  return fileEngine(await openLog(options));
}

const readBytes = 4 * 1024 * 1024;

function fileEngine(log: Log): Engine {
  const listeners = new Set<() => void>();
  let epoch = 0;
  return {
    get epoch() {
      return epoch;
    },
    get firstPosition() {
      return log.firstIndex;
    },
    snapshotsAreOwn: false,
    owner: null,
    onOwner: () => () => undefined,
    async lead() {
      if (epoch !== 0) throw new HalonError("HAL_STORE_FAILED", "a handle leads once");
      epoch = Math.max(log.hardState.term, log.lastTerm) + 1;
      // Before use: after a crash the same epoch must not be given again.
      await log.saveHardState({ term: epoch, votedFor: null });
    },
    onLost: () => () => undefined,
    async append(data, at) {
      if (at.epoch !== epoch || epoch === 0) return { type: "fenced", epoch };
      if (at.position !== log.lastIndex + 1) return { type: "conflict" };
      await log.append([{ index: at.position, term: epoch, data }]);
      for (const listener of listeners) listener();
      return { type: "committed" };
    },
    async read(from) {
      if (from < log.firstIndex) return [];
      return log
        .read(from, { entries: log.durableIndex - from + 1, bytes: readBytes })
        .map(({ index, term, data }) => ({ position: index, epoch: term, data }));
    },
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async saveSnapshot(position, chunks) {
      const term = log.read(position, { entries: 1 })[0]?.term ?? log.lastTerm;
      await log.saveSnapshot({ index: position, term }, chunks);
    },
    async loadSnapshot() {
      const snapshot = log.loadSnapshot();
      return snapshot && { position: snapshot.index, chunks: snapshot.chunks };
    },
    compactTo: (position) => log.compactTo(position),
    close: () => log.close(),
  };
}
