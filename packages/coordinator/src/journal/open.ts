import { mkdir, open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Journal, JournalOptions } from "./journal.ts";
import { JournalFiles, type SegmentFile } from "./journal-files.ts";
import {
  brokenChain,
  chainStart,
  decodeStart,
  journalHeaderBytes,
  journalSegmentIndex,
  journalSegmentName,
  scanSegment,
} from "./journal-segment.ts";

/**
 * Opens the journal in a directory, or makes it, and checks the chain of the newest segment.
 *
 * A torn tail is cut; the store has those records, or a snapshot that covers them. Throws `HAL_STORE_DAMAGED`
 * for a chain that is broken otherwise.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dir } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const names = (await readdir(dir)).filter((name) => journalSegmentIndex(name) !== undefined);
  const segments: SegmentFile[] = [];
  for (const name of names.sort()) {
    const segment = await describe(join(dir, name), name === names.at(-1));
    if (segment !== undefined) segments.push(segment);
  }
  const last = segments.at(-1);
  if (last === undefined) {
    return new JournalFiles(options, [], { offsets: [], hash: chainStart, cutBytes: 0 });
  }
  const buffer = await readFile(last.path);
  const scan = scanSegment(buffer, last.start);
  if (scan.bad !== undefined) {
    if (!scan.bad.isTorn) throw brokenChain(last.path, scan.end, scan.bad.what);
    await cut(last.path, scan.end);
  }
  segments[segments.length - 1] = { ...last, bytes: scan.end };
  const tail = {
    offsets: [...scan.offsets],
    hash: scan.hash,
    cutBytes: buffer.length - scan.end,
  };
  return new JournalFiles(options, segments, tail);
}

/** Undefined for a newest segment whose header never reached the disk. */
async function describe(path: string, isLast: boolean): Promise<SegmentFile | undefined> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.alloc(journalHeaderBytes);
    const { bytesRead } = await file.read(buffer, 0, journalHeaderBytes, 0);
    const start = decodeStart(buffer.subarray(0, bytesRead));
    if (start !== undefined && path.endsWith(journalSegmentName(start.firstIndex))) {
      return { path, start, bytes: (await stat(path)).size };
    }
    const isTorn = bytesRead < journalHeaderBytes || buffer.every((byte) => byte === 0);
    if (isLast && isTorn) return undefined;
    throw brokenChain(path, 0, "its header is damaged or of another version");
  } finally {
    await file.close();
  }
}

async function cut(path: string, length: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.truncate(length);
  } finally {
    await file.close();
  }
}
