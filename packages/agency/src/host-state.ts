import { HalonError } from "@halon/protocol";
import type { HostLog } from "./host-log.ts";
import type { Log } from "./log.ts";
import { hostBaseOf, hostChunks } from "./snapshot-state.ts";

type HostState = NonNullable<Awaited<ReturnType<HostLog["loadSnapshot"]>>>;

/**
 * The host's state in the newest snapshot of a log; undefined when there is none.
 *
 * The file is opened when the first chunk is asked for, and read to its end even when another one takes its place. It
 * rejects with HAL_STORE_FAILED when a newer state has taken its place by then.
 */
export async function loadHostState(log: Log): Promise<HostState | undefined> {
  const base = await newest(log, async (chunks) => hostBaseOf(chunks));
  if (base === undefined || base === 0) return undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const opened = await newest(log, (all) => begin(hostChunks(all, base ?? 0)));
    if (opened === undefined) throw new HalonError("HAL_STORE_FAILED", "The snapshot is gone.");
    yield* opened;
  }
  return { position: base, chunks: chunks() };
}

/** Reads the newest snapshot, and again when a newer one took its place before it was opened. */
async function newest<T>(
  log: Log,
  read: (chunks: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T | undefined> {
  for (;;) {
    const stored = log.loadSnapshot();
    if (stored === undefined) return undefined;
    try {
      return await read(stored.chunks);
    } catch (error) {
      if (log.snapshot?.index === stored.index) throw error;
    }
  }
}

/** The same chunks, with the first one read already: the file is open. */
async function begin(chunks: AsyncGenerator<Uint8Array>): Promise<AsyncGenerator<Uint8Array>> {
  const first = await chunks.next();
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      if (first.done === true) return;
      yield first.value;
      yield* chunks;
    } finally {
      await chunks.return(undefined);
    }
  }
  return all();
}
