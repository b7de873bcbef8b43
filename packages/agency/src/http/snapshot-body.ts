import { createHash } from "node:crypto";
import { SnapshotReader } from "@halon/kv";
import { HalonError } from "@halon/protocol";

/** Last line: what the lines before it hash to, so that a copy that was cut or changed is seen. */
const endPattern = /^\{"sha256":"([0-9a-f]{64})"\}$/;

/** A longer line is no chunk of ours. */
const lineLengthMax = 64 * 1024 * 1024;

/** The bytes of `GET /v1/agency/snapshot`: a line for each chunk, then one with their SHA-256. */
export async function* snapshotBody(chunks: AsyncIterable<string>): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  for await (const chunk of chunks) {
    const line = Buffer.from(`${chunk}\n`);
    hash.update(line);
    yield line;
  }
  yield Buffer.from(`{"sha256":"${hash.digest("hex")}"}\n`);
}

/**
 * The chunks of such bytes. Whoever reads them acts only when they have ended without an error: the last line
 * vouches for all before it. Errors: HAL_STORE_DAMAGED.
 */
export async function* readSnapshotBody(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const hash = createHash("sha256");
  let end: string | undefined;
  for await (const line of linesOf(bytes)) {
    if (end !== undefined) throw damaged("something follows its last line");
    end = endPattern.exec(line)?.[1];
    if (end !== undefined) continue;
    hash.update(`${line}\n`);
    yield line;
  }
  if (end === undefined) throw damaged("its end is missing");
  if (end !== hash.digest("hex")) throw damaged("its checksum does not fit its content");
}

/** Reads a snapshot to its end; gives the index of its last transaction. Errors: HAL_STORE_DAMAGED. */
export async function verifySnapshot(
  bytes: AsyncIterable<Uint8Array>,
): Promise<{ readonly index: number }> {
  const reader = new SnapshotReader();
  try {
    for await (const chunk of readSnapshotBody(bytes)) reader.push(chunk);
    return { index: reader.finish().index };
  } catch (cause) {
    if (cause instanceof HalonError) throw cause;
    throw damaged(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let rest = "";
  try {
    for await (const part of bytes) {
      const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineLengthMax) throw damaged("a line is too long");
      yield* lines;
    }
    if (rest + decoder.decode() !== "") throw damaged("its last line is cut");
  } catch (cause) {
    if (cause instanceof TypeError) throw damaged("it is not UTF-8", cause);
    throw cause;
  }
}

function damaged(what: string, cause?: unknown): HalonError {
  return new HalonError(
    "HAL_STORE_DAMAGED",
    `The snapshot is damaged: ${what}. Take another one with \`halonctl snapshot save\`.`,
    { cause },
  );
}
