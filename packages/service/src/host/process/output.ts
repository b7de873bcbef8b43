import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";

const calmPollMs = 250;
const hastyPollMs = 5;
const chunkBytes = 1_048_576;
const lastLinesMax = 5;
const lastBytesMax = 1_024;

/** Keeps the captured output of one process within its limit. */
export interface OutputCap {
  /** Nothing writes any more: a file over its limit is put aside at once and cut later. */
  finish(): void;
  /** Stops looking; the process may still write. */
  cancel(): void;
}

export function outputPath(directory: string): string {
  return join(directory, "output.log");
}

function olderPath(directory: string): string {
  return join(directory, "output.1.log");
}

/**
 * Watches the size of the output. Over `bytesMax`, the newest `bytesMax` bytes become `output.1.log` and the file is
 * emptied; the process goes on writing at its start, as it appends. What it writes between the copy and the cut is lost.
 */
export function capOutput(directory: string, bytesMax: number): OutputCap {
  let stopped = false;
  let lastSize = sizeOfOutput(directory);
  let lastAt = performance.now();
  let timer = setTimeout(look, hastyPollMs);

  function look(): void {
    const size = sizeOfOutput(directory);
    if (size > bytesMax) {
      // Soon after as well: it grew quickly until now, and how quickly it grows on is not known.
      void rotate(directory, bytesMax, () => stopped).then(() => {
        lastSize = sizeOfOutput(directory);
        lastAt = performance.now();
        if (!stopped) timer = setTimeout(look, hastyPollMs);
      });
      return;
    }
    schedule(size);
  }

  function schedule(size: number): void {
    const now = performance.now();
    const delay = pollDelayMs({
      grownBytes: size - lastSize,
      elapsedMs: now - lastAt,
      leftBytes: bytesMax - size,
    });
    lastSize = size;
    lastAt = now;
    timer = setTimeout(look, delay);
  }

  const cancel = () => {
    stopped = true;
    clearTimeout(timer);
  };
  return {
    cancel,
    finish() {
      cancel();
      if (sizeOfOutput(directory) <= bytesMax) return;
      void putAside(directory, bytesMax);
    },
  };
}

/** Half the time in which the file would be full at the speed it grew with; pure. */
export function pollDelayMs(growth: {
  readonly grownBytes: number;
  readonly elapsedMs: number;
  readonly leftBytes: number;
}): number {
  if (growth.grownBytes <= 0) return calmPollMs;
  const untilFullMs = (growth.leftBytes * growth.elapsedMs) / growth.grownBytes;
  return Math.round(Math.min(calmPollMs, Math.max(hastyPollMs, untilFullMs / 2)));
}

/** At most 5 lines and 1 KiB of what was written last, without escapes; nothing from before `start`. */
export function lastLines(directory: string, start: number): readonly string[] {
  const lines = stripVTControlCharacters(outputTail(directory, start))
    .split(/\r?\n/)
    .map((line) => line.replace(/\p{Cc}/gu, " ").trimEnd())
    .filter((line) => line !== "");
  return withinBytes(lines.slice(-lastLinesMax));
}

/** The last 8 KiB of what was written, as it is; nothing from before `start`. */
export function outputTail(directory: string, start: number): string {
  const size = sizeOfOutput(directory);
  // Smaller than where it began: it was emptied since, and all of it is of this process.
  const text = readTail(outputPath(directory), size < start ? 0 : start);
  return text === "" && size < start ? readTail(olderPath(directory), 0) : text;
}

function withinBytes(lines: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let left = lastBytesMax;
  for (const line of lines.toReversed()) {
    const bytes = Buffer.from(line);
    if (left <= 0) break;
    // A cut character at the end would become a replacement character of three bytes.
    kept.unshift(
      bytes.length <= left ? line : bytes.subarray(0, left).toString().replace(/�+$/, ""),
    );
    left -= bytes.length + 1;
  }
  return kept;
}

function readTail(path: string, start: number): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return ""; // Its directory was taken away; there is nothing to show.
  }
  try {
    const size = fstatSync(file).size;
    // Escapes take room and are stripped later, so more is read than is shown.
    const from = Math.max(start, size - lastBytesMax * 8);
    const buffer = Buffer.alloc(Math.max(0, size - from));
    const bytes = readSync(file, buffer, 0, buffer.length, from);
    return buffer.toString("utf8", 0, bytes);
  } finally {
    closeSync(file);
  }
}

/** Copies the newest bytes aside, then empties the file; does nothing more once `isStopped`. */
async function rotate(
  directory: string,
  bytesMax: number,
  isStopped: () => boolean,
): Promise<void> {
  const temporary = `${olderPath(directory)}.tmp`;
  let file: FileHandle | undefined;
  try {
    file = await open(outputPath(directory), "r+");
    const copied = await copyNewest(file, temporary, bytesMax).catch(() => false);
    // Stopped while it copied: the file may already belong to the next instance, so it is not cut.
    if (copied && !isStopped()) await rename(temporary, olderPath(directory));
    else await rm(temporary, { force: true });
    // Also when the disk was too full to copy: the limit comes before the older part.
    if (!isStopped()) await file.truncate(0);
  } catch {
    // The directory was taken away, or no file can be opened now; the next look tries again.
  } finally {
    await file?.close().catch(() => undefined);
  }
}

async function copyNewest(file: FileHandle, target: string, bytesMax: number): Promise<true> {
  const end = (await file.stat()).size;
  const copy = await open(target, "w", 0o600);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, bytesMax));
    for (let at = Math.max(0, end - bytesMax); at < end; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0) break;
      await copy.write(buffer, 0, bytesRead);
      at += bytesRead;
    }
    return true;
  } finally {
    await copy.close();
  }
}

/** For a file that nothing writes to. The rename is done when this returns: the next instance gets a new file. */
async function putAside(directory: string, bytesMax: number): Promise<void> {
  const temporary = `${olderPath(directory)}.end.tmp`;
  try {
    renameSync(outputPath(directory), olderPath(directory));
    const file = await open(olderPath(directory), "r");
    await copyNewest(file, temporary, bytesMax).finally(() => file.close());
    await rename(temporary, olderPath(directory));
  } catch {
    // The disk is full or the directory is gone: too large an older output is better removed than kept.
    await Promise.allSettled([temporary, olderPath(directory)].map((path) => rm(path)));
  }
}

/** Bytes of the captured output; 0 when it is not there. */
export function sizeOfOutput(directory: string): number {
  return statSync(outputPath(directory), { throwIfNoEntry: false })?.size ?? 0;
}
