import type { Engine, EngineSnapshot } from "./engine.ts";
import type { SnapshotChunks, StoreSnapshot } from "./port.ts";
import { badSlot } from "./slot.ts";

/** An engine's snapshot: the record index that it stands at, then the chunks. */
export async function* withIndex(
  index: number,
  chunks: SnapshotChunks,
): AsyncGenerator<Uint8Array> {
  const header = Buffer.alloc(8);
  header.writeBigUInt64LE(BigInt(index));
  yield header;
  yield* chunks;
}

/** The newest snapshot of an engine, in terms of records; `position` is of the slot that it stands at. */
export async function loadSnapshot(
  engine: Engine,
): Promise<(StoreSnapshot & { readonly position: number }) | undefined> {
  for (;;) {
    const head = await engine.loadSnapshot();
    if (head === undefined) return undefined;
    const index = await indexOf(head);
    // Loaded again, so that nothing stays open for a caller who never looks at the chunks.
    const snapshot = await engine.loadSnapshot();
    if (snapshot?.position === head.position)
      return { index, position: head.position, chunks: afterFirst(snapshot.chunks) };
  }
}

async function indexOf(snapshot: EngineSnapshot): Promise<number> {
  for await (const header of snapshot.chunks) {
    if (header.length !== 8) break;
    return Number(new DataView(header.buffer, header.byteOffset).getBigUint64(0, true));
  }
  throw badSlot(snapshot.position, "its snapshot does not say at which record it stands");
}

async function* afterFirst(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const chunk of chunks) {
    if (!isFirst) yield chunk;
    isFirst = false;
  }
}
