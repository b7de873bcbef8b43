import { describe, expect, test } from "vitest";
import { MemoryFs } from "../testdata/memory-fs.ts";
import type { Log } from "./log.ts";
import { openLog } from "./open-log.ts";

const dir = "/log";
const point = { index: 10, term: 2 };
const open = (fs: MemoryFs): Promise<Log> => openLog({ dir, fs, failpoint: () => undefined });
const entries = (from: number, to: number, term: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => ({
    index: from + at,
    term,
    data: Buffer.from(`${from + at}`),
  }));

/** The bytes of a snapshot file, as another member sends them. */
async function bytesOf(): Promise<Uint8Array> {
  const log = await open(new MemoryFs());
  await log.append(entries(1, 10, 2));
  await log.saveSnapshot(point, [Buffer.alloc(700, "a"), Buffer.alloc(900, "b")]);
  const file = await log.openSnapshot();
  if (file === undefined) throw new Error("no snapshot");
  const bytes = await file.read(0, file.bytes);
  await file.close();
  return bytes;
}

async function receive(log: Log, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += 600) {
    await log.receiveSnapshot(at, bytes.subarray(at, at + 600));
  }
}

async function read(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of chunks) length += chunk.length;
  return length;
}

describe("a snapshot of another member", () => {
  test("takes the place of the log, or keeps what comes after it", async () => {
    const bytes = await bytesOf();
    for (const keepLog of [false, true]) {
      const fs = new MemoryFs();
      const log = await open(fs);
      await log.append(entries(1, 12, keepLog ? 2 : 1));
      await receive(log, bytes);
      expect(await read(log.receivedSnapshot(point))).toBe(1_600);
      await log.installSnapshot(point, keepLog);
      expect(log.lastIndex).toBe(keepLog ? 12 : 10);
      await log.append(entries(log.lastIndex + 1, log.lastIndex + 1, 3));
      const again = await open(fs);
      expect(again.snapshot).toEqual(point);
      expect(again.lastIndex).toBe(log.lastIndex);
    }
  });

  test.each([
    { name: "cut", change: (bytes: Uint8Array) => bytes.subarray(0, -1), at: point },
    { name: "of another index", change: (bytes: Uint8Array) => bytes, at: { index: 9, term: 2 } },
    { name: "of another term", change: (bytes: Uint8Array) => bytes, at: { index: 10, term: 1 } },
    {
      name: "changed in one bit",
      change: (bytes: Uint8Array) => bytes.map((byte, at) => (at === 300 ? byte ^ 1 : byte)),
      at: point,
    },
  ])("that is $name is refused", async ({ change, at }) => {
    const log = await open(new MemoryFs());
    await receive(log, change(await bytesOf()));
    await expect(read(log.receivedSnapshot(at))).rejects.toMatchObject({
      code: "HAL_STORE_DAMAGED",
    });
  });

  test("is there or not after a crash at any call, and the log opens", async () => {
    const bytes = await bytesOf();
    for (let atCall = 1; ; atCall++) {
      const fs = new MemoryFs();
      const log = await open(fs);
      await log.append(entries(1, 12, 1));
      fs.calls = 0;
      fs.fault = { type: "crash", atCall };
      const isInstalled = await receive(log, bytes)
        .then(() => log.installSnapshot(point, false))
        .then(
          () => true,
          () => false,
        );
      for (let seed = 0; seed < 8; seed++) {
        let state = seed + 1;
        const found = await open(
          fs.afterCrash((n) => {
            state = (state * 48_271) % 2_147_483_647;
            return state % n;
          }),
        );
        if (isInstalled) expect(found.snapshot).toEqual(point);
        // Entries before the one that conflicts may have been acknowledged.
        if (found.snapshot === undefined) expect(found.lastIndex).toBeGreaterThanOrEqual(9);
        else expect({ ...point, index: found.lastIndex }).toEqual(point);
      }
      if (!fs.faulted) return;
    }
  });
});

test("a snapshot of the same index takes the place of the one before, whole, whenever a crash comes", async () => {
  const textOf = async (log: Log): Promise<string> => {
    let text = "";
    for await (const chunk of log.loadSnapshot()?.chunks ?? []) text += Buffer.from(chunk);
    return text;
  };
  for (let atCall = 1; ; atCall++) {
    const fs = new MemoryFs();
    const log = await open(fs);
    await log.append(entries(1, 12, 2));
    await log.saveSnapshot(point, [Buffer.from("old")]);
    fs.calls = 0;
    fs.fault = { type: "crash", atCall };
    const isSaved = await log.saveSnapshot(point, [Buffer.from("new")]).then(
      () => true,
      () => false,
    );
    for (let seed = 0; seed < 8; seed++) {
      let state = seed + 1;
      const found = await open(
        fs.afterCrash((n) => {
          state = (state * 48_271) % 2_147_483_647;
          return state % n;
        }),
      );
      expect(found.snapshot).toEqual(point);
      expect(isSaved ? ["new"] : ["old", "new"]).toContain(await textOf(found));
    }
    if (!fs.faulted) return;
  }
});
