import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { HalonError, Hash } from "@halon/protocol";

/** Files named by the SHA-256 of their bytes. */
export interface Blobs {
  has(hash: string): Promise<boolean>;
  /** Where the file is, or would be. */
  path(hash: string): string;
  /** Durable when it resolves. `HAL_BLOB_MISMATCH` when the bytes have another hash, `HAL_TOO_LARGE` over 64 MiB. */
  put(hash: string, bytes: Uint8Array): Promise<void>;
  /** As `put`, for bytes that arrive in chunks. */
  putChunks(hash: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The bytes in chunks of 1 MiB; `HAL_BLOB_MISSING` when there is no such file. */
  read(hash: string): AsyncIterable<Uint8Array>;
  /** Hashes of all files, sorted. */
  list(): Promise<readonly string[]>;
  /** Whether the file has the bytes that its name says. A damaged one is removed and counts as missing. */
  verify(hash: string): Promise<boolean>;
}

const chunkBytes = 1024 * 1024;
const blobBytesMax = 64 * 1024 * 1024;
const suffix = ".mjs";
const temporarySuffix = `.${process.pid}.tmp`;

/** Opens `<data-dir>/blobs`, and makes it when missing. */
export async function openBlobs(dataDir: string): Promise<Blobs> {
  const dir = join(dataDir, "blobs");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  // What an earlier process left half written; another thread of this one may be at work.
  for (const name of await readdir(dir)) {
    if (name.endsWith(".tmp") && !name.endsWith(temporarySuffix))
      await rm(join(dir, name), { force: true });
  }
  const path = (hash: string): string => join(dir, `${Hash.parse(hash)}${suffix}`);
  const has = (hash: string): Promise<boolean> => exists(path(hash));
  const putChunks = async (
    hash: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> => {
    // Bytes that are there already need no second look: a file gets its name only after the check.
    if (!(await has(hash))) await store(dir, path(hash), hash, chunks);
  };
  return {
    has,
    path,
    put: (hash, bytes) => putChunks(hash, [bytes]),
    putChunks,
    read: (hash) => readChunks(path(hash), hash),
    async list() {
      const names = (await readdir(dir)).filter((name) => name.endsWith(suffix));
      return names.map((name) => name.slice(0, -suffix.length)).sort();
    },
    async verify(hash) {
      if (!(await has(hash))) return false;
      const digest = createHash("sha256");
      for await (const chunk of readChunks(path(hash), hash)) digest.update(chunk);
      if (digest.digest("hex") === hash) return true;
      await rm(path(hash), { force: true });
      return false;
    },
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function store(
  dir: string,
  path: string,
  hash: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  // Two links may bring the same blob at once; each has a file of its own until the rename.
  const temporary = join(dir, `${hash}.${randomUUID()}${temporarySuffix}`);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await fill(file, hash, chunks);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dir);
  } catch (error) {
    await rm(temporary, { force: true });
    throw asHalonError(error, path);
  }
}

async function fill(
  file: FileHandle,
  hash: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const digest = createHash("sha256");
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > blobBytesMax) {
      const message = `Blob ${hash} has more than ${blobBytesMax} bytes; make the bundled file smaller.`;
      throw new HalonError("HAL_TOO_LARGE", message, { details: { hash } });
    }
    digest.update(chunk);
    await file.writeFile(chunk);
  }
  const found = digest.digest("hex");
  if (found === hash) return;
  throw new HalonError(
    "HAL_BLOB_MISMATCH",
    `Expected bytes with the SHA-256 ${hash}, got ${bytes} bytes with ${found}. Send the blob again.`,
    { details: { hash, found } },
  );
}

async function* readChunks(path: string, hash: string): AsyncGenerator<Uint8Array> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    throw isMissing(error) ? notHere(hash, error) : error;
  }
  try {
    for (let position = 0; ; position += chunkBytes) {
      // A chunk may be kept or sent away, so each has a buffer of its own.
      const buffer = new Uint8Array(chunkBytes);
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      if (bytesRead < chunkBytes) return;
    }
  } finally {
    await file.close();
  }
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function notHere(hash: string, cause: unknown): HalonError {
  const message = `The blob ${hash} is not on this node.`;
  return new HalonError("HAL_BLOB_MISSING", message, { cause, details: { hash } });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** What the disk refused; faults of the chunks' source pass through. */
function asHalonError(error: unknown, path: string): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new HalonError(
    "HAL_STORE_FAILED",
    `${path} could not be written: ${error.message}. Free or repair the disk.`,
    { cause: error },
  );
}
