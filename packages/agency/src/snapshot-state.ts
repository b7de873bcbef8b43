import { setImmediate as nextTurn } from "node:timers/promises";
import { type KvState, SnapshotReader, snapshotChunks } from "@halon/kv";
import { HalonError } from "@halon/protocol";
import type { Configuration } from "@halon/raft";
import { z } from "zod";
import type { HostSlot, Records } from "./core/records.ts";
import { chunkTag, readSlotChunk, slotChunks, tagged } from "./snapshot-records.ts";

const ConfigurationShape = z.strictObject({
  members: z.array(z.strictObject({ id: z.string(), address: z.string() })),
  voters: z.array(z.string()),
  outgoing: z.array(z.string()),
  learners: z.array(z.string()),
});

const Head = z.discriminatedUnion("format", [
  z.strictObject({
    format: z.literal(1),
    cluster: z.string().nullable(),
    configuration: ConfigurationShape,
  }),
  z.strictObject({
    format: z.literal(2),
    cluster: z.string().nullable(),
    configuration: ConfigurationShape,
    /** Position of the host's state, and the number of slots after it. */
    records: z.strictObject({ base: z.int().nonnegative(), slots: z.int().nonnegative() }),
  }),
]);

/** What a snapshot says of its member besides the tree. */
export interface SnapshotHead {
  readonly cluster: string | null;
  readonly configuration: Configuration;
}

/** What there is of the host's log: the slots since its state, and the chunks of that state. */
export interface HostPart {
  readonly records: Records;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Longest slice of work on a snapshot before the event loop turns. */
const sliceMs = 5;

/**
 * The bytes of a snapshot, chunk by chunk; the event loop turns between them.
 *
 * Format 1, the head and the text of the tree, as long as there is nothing of a host; else format 2, in which each
 * chunk after the head says what it is: tree, slots, then the host's state.
 */
export async function* snapshotBytes(
  head: SnapshotHead,
  state: KvState,
  host: HostPart,
): AsyncGenerator<Uint8Array> {
  const { base, slots } = host.records;
  if (base === 0 && slots.length === 0) {
    yield Buffer.from(JSON.stringify({ format: 1, ...head }));
    for await (const chunk of treeChunks(state)) yield Buffer.from(chunk);
    return;
  }
  const records = { base, slots: slots.length };
  yield Buffer.from(JSON.stringify({ format: 2, ...head, records }));
  for await (const chunk of treeChunks(state)) yield tagged(chunkTag.tree, Buffer.from(chunk));
  yield* slotChunks(slots);
  for await (const chunk of host.chunks) yield tagged(chunkTag.host, chunk);
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

/** What stands in the chunks of a snapshot, but for the host's state. Errors: HAL_STORE_DAMAGED. */
export async function readSnapshotBytes(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
): Promise<{
  readonly head: SnapshotHead;
  readonly state: KvState;
  readonly records: Records;
  readonly bytes: number;
}> {
  const tree = new SnapshotReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const slots: HostSlot[] = [];
  let head: z.infer<typeof Head> | null = null;
  let bytes = 0;
  let since = performance.now();
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (head === null) head = Head.parse(JSON.parse(decoder.decode(chunk)));
      else if (head.format === 1) tree.push(decoder.decode(chunk));
      else if (chunk[0] === chunkTag.tree) tree.push(decoder.decode(chunk.subarray(1)));
      else if (chunk[0] === chunkTag.slots) readSlotChunk(chunk, head.records.base, slots);
      else if (chunk[0] !== chunkTag.host) throw new Error(`a chunk of kind ${chunk[0]}`);
      if (performance.now() - since < sliceMs) continue;
      await nextTurn();
      since = performance.now();
    }
    if (head === null) throw new Error("it is empty");
    const { base, slots: count } = head.format === 1 ? noCount : head.records;
    if (count !== slots.length) throw new Error(`${slots.length} slots of ${count}`);
    return { head, state: tree.finish(), records: { base, slots }, bytes };
  } catch (error) {
    if (error instanceof HalonError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HalonError("HAL_STORE_DAMAGED", `The snapshot in ${where} is damaged: ${reason}.`, {
      cause: error,
    });
  }
}

const noCount = { base: 0, slots: 0 };

/** Position of the host's state in a snapshot; 0 when there is none. Reads the first chunk alone. */
export async function hostBaseOf(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  for await (const chunk of chunks) return baseIn(chunk);
  return 0;
}

/**
 * The chunks of the host's state, as they were given.
 *
 * Rejects with HAL_STORE_FAILED when the snapshot has it as of another position than `base`: a newer one took the place
 * of the one that was asked for.
 */
export async function* hostChunks(
  chunks: AsyncIterable<Uint8Array>,
  base: number,
): AsyncGenerator<Uint8Array> {
  let found: number | null = null;
  for await (const chunk of chunks) {
    if (found !== null) {
      if (chunk[0] === chunkTag.host) yield chunk.subarray(1);
      continue;
    }
    found = baseIn(chunk);
    if (found !== base) {
      const what = `The host's state as of ${base} was asked for, and the snapshot has ${found}.`;
      throw new HalonError("HAL_STORE_FAILED", `${what} Load it again.`);
    }
  }
}

/** Of a host that has no state yet. */
export async function* noChunks(): AsyncGenerator<Uint8Array> {
  yield* [];
}

function baseIn(chunk: Uint8Array): number {
  const head = Head.parse(JSON.parse(Buffer.from(chunk).toString()));
  return head.format === 1 ? 0 : head.records.base;
}
