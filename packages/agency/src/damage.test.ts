import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryFs } from "../testdata/memory-fs.ts";
import type { Entry, Log } from "./log.ts";
import { openLog } from "./open-log.ts";

const dir = "/log";
let fs: MemoryFs;
beforeEach(() => {
  fs = new MemoryFs();
});

const open = (): Promise<Log> => openLog({ dir, fs, segmentBytes: 1_000 });
const entry = (index: number): Entry => ({ index, term: 1, data: Buffer.alloc(300, index) });
const segment = (first: number): string => `${dir}/${String(first).padStart(20, "0")}.log`;
const manifest = `${dir}/manifest`;
const snapshot = (index: number): string => `${dir}/${String(index).padStart(20, "0")}.snapshot`;

/** Three segments of entries 1-3, 4-6 and 7-8, each entry in a group of its own. */
async function fill(): Promise<void> {
  const log = await open();
  for (let index = 1; index <= 8; index++) await log.append([entry(index)]);
  await log.close();
  expect(fs.paths()).toEqual([segment(1), segment(4), segment(7), manifest]);
}

async function fillBehindSnapshot(): Promise<void> {
  await fill();
  const log = await open();
  await log.saveSnapshot({ index: 6, term: 1 }, [Buffer.from("state")]);
  await log.compactTo(6);
  await log.close();
  expect(fs.paths()).toEqual([snapshot(6), segment(7), manifest]);
}

const flip = (path: string, offset: number): void => {
  const bytes = Buffer.from(fs.content(path));
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  fs.set(path, bytes);
};

const cutTo = (path: string, length: number): void => {
  fs.set(path, Buffer.from(fs.content(path).subarray(0, length)));
};

// A frame is 16 bytes of header, 17 of index and term, and 300 of data; a segment's header has 24.
const frameAt = (place: number): number => 24 + place * 333;

describe("a torn tail is cut", () => {
  test.each([
    { missing: 1, bytes: 332 },
    { missing: 17, bytes: 316 },
    // A term of 1 ends in seven zeros.
    { missing: 300, bytes: 26 },
    { missing: 332, bytes: 1 },
  ])("when $missing bytes of the last frame are missing", async ({ missing, bytes }) => {
    await fill();
    cutTo(segment(7), frameAt(2) - missing);
    const log = await open();
    expect(log.lastIndex).toBe(7);
    expect(log.cut).toEqual({ bytes, atOffset: frameAt(1) });
    await log.append([entry(8)]);
    await log.close();
    expect((await open()).read(7)).toEqual([entry(7), entry(8)]);
  });

  test.each([512, 1_024, 1_536, 2_048])(
    "when the frame ends at sector %i and zeros follow",
    async (written) => {
      const log = await openLog({ dir, fs });
      await log.append([entry(1)]);
      await log.append([{ index: 2, term: 1, data: Buffer.alloc(2_000, 2) }]);
      await log.close();
      fs.set(segment(1), Buffer.from(fs.content(segment(1))).fill(0, written));
      const reopened = await openLog({ dir, fs });
      expect(reopened.lastIndex).toBe(1);
      expect(reopened.cut).toEqual({ bytes: written - frameAt(1), atOffset: frameAt(1) });
      await reopened.append([entry(2), entry(3)]);
      await reopened.close();
      const third = await openLog({ dir, fs });
      expect([third.read(2), third.cut]).toEqual([[entry(2), entry(3)], undefined]);
    },
  );

  test("when a bit is set among the zeros: no entry is lost by it", async () => {
    await fill();
    flip(segment(7), 900);
    const log = await open();
    expect(log.lastIndex).toBe(8);
    expect(log.cut).toEqual({ bytes: 901 - frameAt(2), atOffset: frameAt(2) });
  });

  test("when a sector of a group is missing, though later frames of the group are whole", async () => {
    const log = await open();
    await log.append([entry(1)]);
    await log.append([2, 3, 4, 5].map(entry));
    await log.close();
    fs.set(segment(1), Buffer.from(fs.content(segment(1))).fill(0, 512, 1_024));
    const reopened = await open();
    expect([reopened.lastIndex, reopened.cut?.atOffset]).toEqual([1, frameAt(1)]);
  });
});

describe("zeros behind the last entry are no torn write", () => {
  test.each([
    { what: "as many as were written ahead", end: 1_000 },
    { what: "fewer, the disk having lost some", end: frameAt(2) + 5 },
    { what: "none", end: frameAt(2) },
    { what: "more", end: 9_000 },
  ])("$what", async ({ end }) => {
    await fill();
    const found = Buffer.alloc(end);
    fs.content(segment(7)).copy(found);
    fs.set(segment(7), found);
    const log = await open();
    expect([log.lastIndex, log.cut]).toEqual([8, undefined]);
    await log.append([entry(9)]);
    await log.append([entry(10)]);
    await log.close();
    expect((await open()).read(8)).toEqual([entry(8), entry(9), entry(10)]);
  });

  test("wherever the file was cut", async () => {
    await fill();
    const whole = Buffer.from(fs.content(segment(7)));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: frameAt(0), max: whole.length }), async (end) => {
        fs.set(segment(7), Buffer.from(whole.subarray(0, end)));
        const log = await open();
        expect(log.lastIndex).toBe(end < frameAt(1) ? 6 : end < frameAt(2) ? 7 : 8);
        expect(log.cut === undefined).toBe(
          [frameAt(0), frameAt(1)].includes(end) || log.lastIndex === 8,
        );
        await log.close();
      }),
    );
  });
});

describe("damage refuses to open and changes nothing", () => {
  const damages: readonly {
    readonly name: string;
    readonly fill?: () => Promise<void>;
    readonly damage: () => void;
    readonly file: string;
  }[] = [
    { name: "a bit in the middle segment", damage: () => flip(segment(4), 500), file: segment(4) },
    {
      name: "a bit of a frame that a later group follows",
      damage: () => flip(segment(7), frameAt(0) + 100),
      file: segment(7),
    },
    {
      name: "zeros where a later group follows",
      damage: () => fs.set(segment(7), Buffer.from(fs.content(segment(7))).fill(0, 24, 300)),
      file: segment(7),
    },
    {
      name: "a bit of the last frame, which is all there",
      damage: () => flip(segment(7), frameAt(1) + 100),
      file: segment(7),
    },
    {
      name: "the last bytes of the last frame, which no lost sector explains",
      damage: () => fs.set(segment(7), Buffer.from(fs.content(segment(7))).fill(0, frameAt(2) - 9)),
      file: segment(7),
    },
    {
      name: "a bit of the zeros where the next header goes",
      damage: () => flip(segment(7), frameAt(2) + 3),
      file: segment(7),
    },
    {
      name: "zeros behind the frames of a middle segment that lack one",
      damage: () => fs.set(segment(4), Buffer.from(fs.content(segment(4))).fill(0, frameAt(2))),
      file: segment(4),
    },
    {
      name: "the length of the last frame",
      damage: () => flip(segment(7), frameAt(1) + 2),
      file: segment(7),
    },
    {
      name: "a short middle segment",
      damage: () => cutTo(segment(4), frameAt(2)),
      file: segment(7),
    },
    { name: "a torn middle segment", damage: () => cutTo(segment(4), 600), file: segment(4) },
    { name: "an empty middle segment", damage: () => cutTo(segment(4), 0), file: segment(4) },
    { name: "a header", damage: () => flip(segment(7), 3), file: segment(7) },
    { name: "another version", damage: () => flip(segment(1), 8), file: segment(1) },
    { name: "a missing first segment", damage: () => fs.remove(segment(1)), file: segment(4) },
    { name: "a missing middle segment", damage: () => fs.remove(segment(4)), file: segment(7) },
    { name: "a missing last segment", damage: () => fs.remove(segment(7)), file: segment(7) },
    { name: "the manifest", damage: () => flip(manifest, 30), file: manifest },
    { name: "a missing manifest", damage: () => fs.remove(manifest), file: segment(1) },
    {
      name: "a segment under another name",
      damage: () => fs.set(segment(4), fs.content(segment(1))),
      file: segment(4),
    },
    {
      name: "the only snapshot of a log that does not start at 1",
      fill: fillBehindSnapshot,
      damage: () => flip(snapshot(6), 33),
      file: snapshot(6),
    },
    {
      name: "a missing snapshot of a log that does not start at 1",
      fill: fillBehindSnapshot,
      damage: () => fs.remove(snapshot(6)),
      file: snapshot(6),
    },
  ];

  test.each(damages)("$name", async ({ fill: prepare = fill, damage, file }) => {
    await prepare();
    damage();
    const before = fs.paths().map((path) => [path, Buffer.from(fs.content(path))]);
    await expect(open()).rejects.toMatchObject({
      code: "HAL_STORE_DAMAGED",
      message: expect.stringMatching(/ is damaged at offset \d+: .*Restore/),
      details: { file },
    });
    expect(fs.paths().map((path) => [path, fs.content(path)])).toEqual(before);
  });
});

test("an older snapshot is used when the newest is damaged and the log still reaches it", async () => {
  await fill();
  const log = await open();
  await log.saveSnapshot({ index: 3, term: 1 }, [Buffer.from("at 3")]);
  await log.compactTo(3);
  const older = Buffer.from(fs.content(snapshot(3)));
  await log.saveSnapshot({ index: 6, term: 1 }, [Buffer.from("at 6")]);
  await log.close();
  fs.set(snapshot(3), older);
  flip(snapshot(6), 30);
  const reopened = await open();
  expect(reopened.snapshot).toEqual({ index: 3, term: 1 });
  expect(reopened.read(4)).toHaveLength(5);
});
