import { appendFile, open, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "../limits.ts";

/** The captured output of one worker service, bounded in size and rate. */
export interface OutputLog {
  write(chunk: Uint8Array): void;
  /** What was written is in the file, or was given up because the disk refused it. */
  close(): Promise<void>;
}

/** Appends to `<directory>/output.log`. `now` is in monotonic ms. */
export function openOutputLog(directory: string, now: () => number): OutputLog {
  const path = join(directory, "output.log");
  let waiting: Uint8Array[] = [];
  let writing: Promise<void> | null = null;
  let second = 0;
  let taken = 0;
  let dropped = 0;

  const flush = async () => {
    while (waiting.length > 0) {
      const bytes = Buffer.concat(waiting);
      waiting = [];
      await append(path, bytes).catch(() => {
        // A full disk costs output, never the service.
        dropped += bytes.length;
      });
    }
    writing = null;
  };
  const push = (chunk: Uint8Array) => {
    if (waiting.length >= limits.outputChunksMax) {
      dropped += chunk.length;
      return;
    }
    waiting.push(chunk);
    writing ??= flush();
  };
  const noteDropped = () => {
    if (dropped === 0) return;
    push(Buffer.from(`[halon] ${dropped} bytes of output dropped: too much in one second\n`));
    dropped = 0;
  };
  return {
    write(chunk) {
      const current = Math.floor(now() / 1_000);
      if (current !== second) {
        noteDropped();
        second = current;
        taken = 0;
      }
      const room = limits.outputBytesPerSecondMax - taken;
      const kept = chunk.subarray(0, Math.max(0, room));
      taken += kept.length;
      dropped += chunk.length - kept.length;
      if (kept.length > 0) push(kept);
    },
    async close() {
      noteDropped();
      await writing;
    },
  };
}

async function append(path: string, bytes: Uint8Array): Promise<void> {
  await appendFile(path, bytes, { mode: 0o600 });
  const { size } = await stat(path);
  if (size <= limits.outputBytesMax) return;
  const all = await readFile(path);
  const half = all.subarray(all.length - limits.outputBytesMax / 2);
  await writeFile(path, half.subarray(half.indexOf(0x0a) + 1), { mode: 0o600 });
}

/** Output made safe for a terminal: control characters other than tab and newline become visible. */
export function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(2, "0");
    return character === "\r" ? "" : `\\x${code}`;
  });
}

/** The last `bytesMax` bytes of a service's captured output, harmless to print; empty when there is none. */
export async function readOutput(directory: string, bytesMax: number): Promise<string> {
  const newer = await readEnd(join(directory, "output.log"), bytesMax);
  // The output of an OS process that was just cut stands in the older file.
  const older = await readEnd(join(directory, "output.1.log"), bytesMax - newer.length);
  return harmless(Buffer.concat([older, newer]).toString("utf8"));
}

/** Of a file that may grow and be cut meanwhile, and be far larger than what is asked for. */
async function readEnd(path: string, bytesMax: number): Promise<Buffer> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - bytesMax);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
