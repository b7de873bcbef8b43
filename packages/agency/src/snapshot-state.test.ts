import { emptyKv, stateDigest } from "@halon/kv";
import { describe, expect, test } from "vitest";
import { noRecords, type Records } from "./core/records.ts";
import { chunkTag, slotChunks, tagged } from "./snapshot-records.ts";
import { readSnapshotBytes, snapshotBytes } from "./snapshot-state.ts";

const configuration = { members: [], voters: [], outgoing: [], learners: [] };
const head = { cluster: "c1", configuration };

/** Slots of terms that grow, some of them empty, together more than one chunk holds. */
function records(base: number, count: number): Records {
  const slots = Array.from({ length: count }, (_, at) => ({
    position: base + at + 1,
    epoch: 1 + Math.floor(at / 3) + 2 ** 40,
    data: new Uint8Array(at % 4 === 0 ? 0 : 50_000 + at).fill(at),
  }));
  return { base, slots };
}

async function chunksOf(held: Records, host: readonly Uint8Array[] = []): Promise<Uint8Array[]> {
  async function* given(): AsyncGenerator<Uint8Array> {
    yield* host;
  }
  const all: Uint8Array[] = [];
  for await (const chunk of snapshotBytes(head, emptyKv, { records: held, chunks: given() })) {
    all.push(chunk);
  }
  return all;
}

async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

const plain = ({ base, slots }: Records) => ({
  base,
  slots: slots.map((slot) => ({ ...slot, data: Buffer.from(slot.data).toString("base64") })),
});

test.each([
  { name: "nothing of a host", held: noRecords },
  { name: "slots alone", held: records(0, 20) },
  { name: "a host's state alone", held: records(7, 0) },
  { name: "both", held: records(7, 20) },
])("a snapshot of $name is read as it was written", async ({ held }) => {
  const host = held.base === 0 ? [] : [Buffer.alloc(10, 255), Buffer.alloc(0)];
  const chunks = await chunksOf(held, host);
  const read = await readSnapshotBytes(from(chunks), "a test");
  expect(plain(read.records)).toEqual(plain(held));
  expect(read.head).toMatchObject(head);
  expect(stateDigest(read.state)).toBe(stateDigest(emptyKv));
  expect(read.bytes).toBe(chunks.reduce((sum, { length }) => sum + length, 0));
});

test("slots share chunks, as each chunk costs two writes", () => {
  const { slots } = records(0, 20);
  const chunks = [...slotChunks(slots)];
  expect(chunks.length).toBeLessThan(5);
  expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(400_000);
});

describe("damage is refused:", () => {
  const held = records(7, 5);
  test.each([
    {
      name: "a slot that is missing",
      change: (chunks: Uint8Array[]) => chunks.filter(([tag]) => tag !== chunkTag.slots),
    },
    {
      name: "a slot that is cut off",
      change: (chunks: Uint8Array[]) =>
        chunks.map((chunk) => (chunk[0] === chunkTag.slots ? chunk.subarray(0, -1) : chunk)),
    },
    {
      name: "the head of a slot that is cut off",
      change: (chunks: Uint8Array[]) => [...chunks, tagged(chunkTag.slots, Buffer.alloc(5))],
    },
    {
      name: "a chunk of no known kind",
      change: (chunks: Uint8Array[]) => [...chunks, tagged(9, Buffer.alloc(5))],
    },
    { name: "no head", change: (chunks: Uint8Array[]) => chunks.slice(1) },
    { name: "nothing at all", change: () => [] },
  ])("$name", async ({ change }) => {
    const chunks = change(await chunksOf(held, [Buffer.from("state")]));
    await expect(readSnapshotBytes(from(chunks), "a test")).rejects.toMatchObject({
      code: "HAL_STORE_DAMAGED",
    });
  });
});
