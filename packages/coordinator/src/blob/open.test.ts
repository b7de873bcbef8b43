import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Blobs, openBlobs } from "./open.ts";

let dataDir: string;
let dir: string;
let blobs: Blobs;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "halon-blobs-"));
  dir = join(dataDir, "blobs");
  blobs = await openBlobs(dataDir);
});
afterEach(() => rm(dataDir, { recursive: true }));

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const code = Buffer.from("export default 1;\n");

async function readAll(hash: string): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of blobs.read(hash)) chunks.push(chunk);
  return chunks;
}

test("a blob is a file of its owner, named by its hash", async () => {
  const hash = hashOf(code);
  expect(await blobs.has(hash)).toBe(false);
  await blobs.put(hash, code);
  await blobs.put(hash, code);
  expect(await blobs.has(hash)).toBe(true);
  expect(await blobs.list()).toEqual([hash]);
  expect(await readFile(blobs.path(hash))).toEqual(code);
  expect((await stat(blobs.path(hash))).mode & 0o777).toBe(0o600);
});

test("bytes with another hash are refused and leave nothing", async () => {
  const hash = hashOf(Buffer.from("other"));
  await expect(blobs.put(hash, code)).rejects.toMatchObject({ code: "HAL_BLOB_MISMATCH" });
  expect(await readdir(dir)).toEqual([]);
});

test("chunks go in and come out, 1 MiB each", async () => {
  const bytes = Buffer.alloc(2 * 1024 * 1024 + 3, "abc");
  const hash = hashOf(bytes);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += 700_000) yield bytes.subarray(at, at + 700_000);
  }
  await blobs.putChunks(hash, chunks());
  const read = await readAll(hash);
  expect(read.map(({ length }) => length)).toEqual([1024 * 1024, 1024 * 1024, 3]);
  expect(Buffer.concat(read).equals(bytes)).toBe(true);
});

test("a source that breaks off leaves nothing", async () => {
  async function* chunks() {
    yield code;
    throw new Error("link lost");
  }
  await expect(blobs.putChunks(hashOf(code), chunks())).rejects.toThrow("link lost");
  expect(await readdir(dir)).toEqual([]);
});

test("more than 64 MiB are refused", async () => {
  const chunk = new Uint8Array(1024 * 1024);
  async function* chunks() {
    for (let count = 0; count <= 64; count++) yield chunk;
  }
  const put = blobs.putChunks(hashOf(code), chunks());
  await expect(put).rejects.toMatchObject({ code: "HAL_TOO_LARGE" });
});

test("a missing blob is said to be missing", async () => {
  await expect(readAll(hashOf(code))).rejects.toMatchObject({ code: "HAL_BLOB_MISSING" });
  expect(await blobs.verify(hashOf(code))).toBe(false);
});

test("a damaged file is removed when it is verified", async () => {
  const hash = hashOf(code);
  await blobs.put(hash, code);
  expect(await blobs.verify(hash)).toBe(true);
  await writeFile(blobs.path(hash), "export default 2;\n");
  expect(await blobs.verify(hash)).toBe(false);
  expect(await blobs.has(hash)).toBe(false);
});

test("a name that is no hash cannot leave the directory", () => {
  expect(() => blobs.path("../../etc/passwd")).toThrow();
});

test("what a crash left half written is removed at the start", async () => {
  await writeFile(join(dir, "x.tmp"), "half");
  await openBlobs(dataDir);
  expect(await readdir(dir)).toEqual([]);
});
