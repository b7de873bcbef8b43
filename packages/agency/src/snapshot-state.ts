import { setImmediate as nextTurn } from "node:timers/promises";
import { type KvState, SnapshotReader, snapshotChunks } from "@halon/kv";
import { HalonError } from "@halon/protocol";
import type { Configuration } from "@halon/raft";
import { z } from "zod";

const ConfigurationShape = z.strictObject({
  members: z.array(z.strictObject({ id: z.string(), address: z.string() })),
  voters: z.array(z.string()),
  outgoing: z.array(z.string()),
  learners: z.array(z.string()),
});

const Head = z.strictObject({
  format: z.literal(1),
  cluster: z.string().nullable(),
  configuration: ConfigurationShape,
});

/** First chunk of a snapshot: what there is to know besides the tree. */
export interface SnapshotHead {
  readonly cluster: string | null;
  readonly configuration: Configuration;
}

/** Longest slice of work on a snapshot before the event loop turns. */
const sliceMs = 5;

/** The bytes of a snapshot, chunk by chunk; the event loop turns between them. */
export async function* snapshotBytes(
  head: SnapshotHead,
  state: KvState,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify({ format: 1, ...head }));
  for await (const chunk of treeChunks(state)) yield Buffer.from(chunk);
}

/** The chunks of the tree alone, as text. */
export async function* treeChunks(state: KvState): AsyncGenerator<string> {
  let since = performance.now();
  for (const chunk of snapshotChunks(state)) {
    yield chunk;
    if (performance.now() - since < sliceMs) continue;
    await nextTurn();
    since = performance.now();
  }
}

/** What stands in the chunks of a snapshot. Errors: HAL_STORE_DAMAGED. */
export async function readSnapshotBytes(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
): Promise<{ readonly head: SnapshotHead; readonly state: KvState; readonly bytes: number }> {
  const reader = new SnapshotReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let head: SnapshotHead | null = null;
  let bytes = 0;
  let since = performance.now();
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      const text = decoder.decode(chunk);
      if (head === null) head = Head.parse(JSON.parse(text));
      else reader.push(text);
      if (performance.now() - since < sliceMs) continue;
      await nextTurn();
      since = performance.now();
    }
    if (head === null) throw new Error("it is empty");
    return { head, state: reader.finish(), bytes };
  } catch (error) {
    if (error instanceof HalonError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HalonError("HAL_STORE_DAMAGED", `The snapshot in ${where} is damaged: ${reason}.`, {
      cause: error,
    });
  }
}
