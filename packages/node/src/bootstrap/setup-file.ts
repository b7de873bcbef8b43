import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { failpoint } from "@halon/agency";
import { canonicalJson, HalonError } from "@halon/protocol";
import { z } from "zod";
import { contradictionIn, Setup, setupFormat } from "../core/bootstrap-setup.ts";

const fileBytesMax = 1024 * 1024;
const SetupFile = z.strictObject({ setup: z.unknown(), checksum: z.string() });
const Format = z.object({ format: z.number() });

/** Steps of all saves of this process, for the tests that end it at each of them. */
let step = 0;

/**
 * Replaces `setup.json` atomically: written aside, fsynced, renamed, directory fsynced.
 *
 * Old or new is there after a crash at any moment, and new once this has returned.
 */
export function saveSetup(dataDir: string, setup: Setup): void {
  const path = join(dataDir, "setup.json");
  const aside = `${path}.new`;
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const file = openSync(aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  try {
    stepped(() => writeWhole(file, Buffer.from(textOf(setup))));
    stepped(() => fsyncSync(file));
  } finally {
    closeSync(file);
  }
  stepped(() => renameSync(aside, path));
  const directory = openSync(dataDir, "r");
  try {
    stepped(() => fsyncSync(directory));
  } finally {
    closeSync(directory);
  }
}

/** Reads the file; undefined when there is none. Errors: HAL_DATA_DIR_INVALID, HAL_DATA_DIR_VERSION. */
export function readSetup(path: string): Setup | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  let parsed: z.infer<typeof SetupFile>;
  try {
    parsed = SetupFile.parse(JSON.parse(text));
  } catch (cause) {
    throw damaged(path, "it is not the JSON that halond writes", cause);
  }
  const format = Format.safeParse(parsed.setup).data?.format;
  if (format !== undefined) requireFormat(path, format);
  const setup = Setup.safeParse(parsed.setup);
  if (!setup.success) throw damaged(path, z.prettifyError(setup.error).replaceAll("\n", " "));
  if (parsed.checksum !== checksumOf(setup.data))
    throw damaged(path, "its checksum does not fit its content");
  // JSON may say a key twice, and only the last counts.
  if (text !== textOf(setup.data)) throw damaged(path, "it is not as halond writes it");
  const contradiction = contradictionIn(setup.data);
  if (contradiction !== null) throw damaged(path, contradiction);
  return setup.data;
}

function readText(path: string): string | undefined {
  let file: number;
  try {
    // A pipe would block without O_NONBLOCK; a link could point anywhere.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw damaged(path, (cause as Error).message, cause);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw damaged(path, "it is not a regular file");
    if (stat.size > fileBytesMax) throw damaged(path, `it has ${stat.size} bytes`);
    if (stat.uid !== process.geteuid?.()) {
      const message = `${path} belongs to the user ${stat.uid}, and this halond runs as ${process.geteuid?.()}. Start halond as that user, or chown the data directory.`;
      throw new HalonError("HAL_DATA_DIR_INVALID", message);
    }
    if ((stat.mode & 0o077) !== 0) {
      const message = `${path} can be read or changed by others (mode 0${(stat.mode & 0o777).toString(8)}). Say: chmod 600 ${path}`;
      throw new HalonError("HAL_DATA_DIR_INVALID", message);
    }
    const bytes = Buffer.alloc(stat.size);
    let length = 0;
    for (;;) {
      const read = readSync(file, bytes, length, bytes.length - length, null);
      if (read === 0) return bytes.toString("utf8", 0, length);
      length += read;
    }
  } catch (cause) {
    if (cause instanceof HalonError) throw cause;
    throw damaged(path, (cause as Error).message, cause);
  } finally {
    closeSync(file);
  }
}

function requireFormat(path: string, format: number): void {
  if (format === setupFormat) return;
  const remedy =
    format > setupFormat
      ? "Use the newer halond that wrote it."
      : "It is of a halond before the replicated store: start that version, or begin afresh with --forget-setup.";
  const message = `${path} has format ${format}, and this halond reads format ${setupFormat}. ${remedy}`;
  throw new HalonError("HAL_DATA_DIR_VERSION", message);
}

function damaged(path: string, reason: string, cause?: unknown): HalonError {
  const message = `${path} is damaged: ${reason}. Restore it from a backup, or begin afresh without its data: halond start --forget-setup`;
  return new HalonError("HAL_DATA_DIR_INVALID", message, { cause });
}

function textOf(setup: Setup): string {
  return `${JSON.stringify({ setup, checksum: checksumOf(setup) }, null, 2)}\n`;
}

function checksumOf(setup: Setup): string {
  return createHash("sha256").update(canonicalJson(setup)).digest("hex");
}

function writeWhole(file: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written);
  }
}

/** One write, fsync or rename, and the points at which a tester may end this process. */
function stepped(action: () => void): void {
  step += 1;
  failpoint(`setup.before-${step}`);
  action();
  failpoint(`setup.after-${step}`);
}
