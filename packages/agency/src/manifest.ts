import { join } from "node:path";
import { crc32 } from "node:zlib";
import { damaged } from "./errors.ts";
import type { HardState } from "./log.ts";
import type { LogFs } from "./log-fs.ts";

/**
 * Which segments are the log, and the hard state.
 *
 * It is replaced as a whole, so that a rollover, a truncation or a compaction takes place at one moment:
 * segment files outside `firstSegment..lastSegment` are left-overs, and a missing one is a loss.
 */
export interface Manifest {
  readonly firstSegment: number;
  readonly lastSegment: number;
  readonly hardState: HardState;
}

export const formatVersion = 1;
const fileName = "manifest";

/** Undefined when there is none. */
export async function readManifest(fs: LogFs, dir: string): Promise<Manifest | undefined> {
  const names = await fs.readdir(dir);
  if (!names.includes(fileName)) return undefined;
  const path = join(dir, fileName);
  const file = await fs.open(path, "edit");
  const text = Buffer.from(await file.read(0, 65_536)).toString("utf8");
  await file.close();
  const [checksum = "", body = ""] = text.split("\n");
  if (checksum !== checksumOf(body)) throw damaged(path, 0, "its checksum is wrong");
  const parsed = JSON.parse(body) as Manifest & { readonly format: number };
  if (parsed.format !== formatVersion) {
    throw damaged(path, 0, `expected format ${formatVersion}, got ${parsed.format}`);
  }
  const { firstSegment, lastSegment, hardState } = parsed;
  return { firstSegment, lastSegment, hardState };
}

/** Durable when it resolves. */
export async function writeManifest(fs: LogFs, dir: string, manifest: Manifest): Promise<void> {
  const body = JSON.stringify({ format: formatVersion, ...manifest });
  await replaceFile(fs, dir, fileName, async (file) => {
    await file.write(Buffer.from(`${checksumOf(body)}\n${body}\n`), 0);
  });
}

/** Puts a whole file in place of another one, or of none, at one moment, and durably. */
export async function replaceFile(
  fs: LogFs,
  dir: string,
  name: string,
  fill: (file: Awaited<ReturnType<LogFs["open"]>>) => Promise<void>,
): Promise<void> {
  const temporary = join(dir, `${name}.tmp`);
  if ((await fs.readdir(dir)).includes(`${name}.tmp`)) await fs.unlink(temporary);
  const file = await fs.open(temporary, "create");
  try {
    await fill(file);
    await file.datasync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, join(dir, name));
  await fs.syncDir(dir);
}

function checksumOf(body: string): string {
  return crc32(body).toString(16).padStart(8, "0");
}
