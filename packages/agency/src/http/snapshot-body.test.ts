import { afterEach, expect, test } from "vitest";
import { readSnapshotBody, snapshotBody, verifySnapshot } from "./snapshot-body.ts";
import { memoryMember, serve } from "./testing.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function saved(): Promise<Buffer> {
  const { member } = memoryMember();
  const server = await serve(member);
  ends.push(server.close);
  const body = '[[{"/a":{"ü":[18446744073709551615,"\\n"]}},{},"id-1"]]';
  await fetch(`${server.url}/_api/agency/write`, { method: "POST", body });
  const response = await fetch(`${server.url}/v1/agency/snapshot`);
  return Buffer.from(await response.arrayBuffer());
}

async function* parts(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test("a saved snapshot is whole, in whatever pieces it is read", async () => {
  const bytes = await saved();
  for (const size of [1, 7, 1_000_000]) {
    expect(await verifySnapshot(parts(bytes, size))).toEqual({ index: 1 });
  }
});

test("a snapshot that was cut or changed anywhere is refused", async () => {
  const bytes = await saved();
  const damaged = expect.objectContaining({ code: "HAL_STORE_DAMAGED" });
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    await expect(verifySnapshot(parts(flipped, 4_096))).rejects.toEqual(damaged);
    await expect(verifySnapshot(parts(bytes.subarray(0, at), 4_096))).rejects.toEqual(damaged);
  }
  const longer = Buffer.concat([bytes, Buffer.from("{}\n")]);
  await expect(verifySnapshot(parts(longer, 4_096))).rejects.toEqual(damaged);
});

test("chunks come back as they went in", async () => {
  const chunks = ['{"a":1}', '["b"]'];
  const read: string[] = [];
  for await (const chunk of readSnapshotBody(snapshotBody(given(chunks)))) read.push(chunk);
  expect(read).toEqual(chunks);
});

async function* given(chunks: readonly string[]): AsyncGenerator<string> {
  yield* chunks;
}
