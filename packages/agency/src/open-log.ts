import { join } from "node:path";
import { HalonError } from "@halon/protocol";
import { diskFs } from "./disk-fs.ts";
import { DurableLog, type SnapshotFiles } from "./durable-log.ts";
import { damaged, diskRefused } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import type { Entry, Log, LogOptions, SnapshotPoint } from "./log.ts";
import type { LogFs } from "./log-fs.ts";
import { type Manifest, readManifest, writeManifest } from "./manifest.ts";
import {
  createSegment,
  readSegment,
  segmentHeaderBytes,
  segmentIndex,
  segmentName,
} from "./segment.ts";
import { type Segment, Segments } from "./segments.ts";
import {
  checkSnapshot,
  readSnapshot,
  snapshotIndexes,
  snapshotName,
  writeSnapshot,
} from "./snapshot-file.ts";
import { IncomingSnapshot, openOutgoing } from "./snapshot-transfer.ts";

const segmentBytesDefault = 8 * 1024 * 1024;

/**
 * Opens the log in a directory, or makes it.
 *
 * A torn tail is cut and reported as `cut`. Throws `HAL_STORE_DAMAGED` for anything else that is not as it was
 * written, having changed nothing, and `HAL_STORE_FAILED` when the disk refuses.
 */
export async function openLog(options: LogOptions): Promise<Log> {
  const fs = options.fs ?? diskFs;
  try {
    return await open(fs, options);
  } catch (error) {
    throw diskRefused(options.dir, error);
  }
}

async function open(fs: LogFs, options: LogOptions): Promise<Log> {
  const { dir } = options;
  await fs.mkdir(dir);
  const manifest = (await readManifest(fs, dir)) ?? (await create(fs, dir));
  const found = await readSegments(fs, dir, manifest);
  const last = found.segments.at(-1);
  if (last === undefined) throw damaged(dir, 0, "it names no segment");
  const snapshot = await findSnapshot(fs, dir, manifest.firstSegment);

  await removeLeftOvers(fs, dir, manifest);
  const file = await fs.open(join(dir, segmentName(last.first)), "edit");
  if (found.tornBytes > 0) await file.truncate(last.end);
  // What a process wrote before it was killed may be in memory only; after this it is as good as acknowledged.
  await file.datasync();

  const setting = {
    fs,
    dir,
    segmentBytes: options.segmentBytes ?? segmentBytesDefault,
    failpoint: options.failpoint ?? failpoint,
  };
  const { hardState } = manifest;
  const fileEnd = found.tornBytes > 0 ? last.end : found.fileEnd;
  const files = new Segments(setting, { segments: found.segments, file, fileEnd, hardState });
  let entries = found.entries;
  if (snapshot !== undefined && snapshot.index >= files.firstIndex + entries.length) {
    // A crash came between an installed snapshot and the drop of the entries that it replaces.
    await files.restartAt(snapshot.index + 1);
    entries = [];
  }
  const cut = found.tornBytes > 0 ? { bytes: found.tornBytes, atOffset: last.end } : undefined;
  return new DurableLog(
    dir,
    { files, snapshots: snapshotFiles(fs, dir) },
    { entries, hardState, snapshot, cut },
  );
}

/** An empty log. The segment comes first, so that a manifest never names a file that is not there. */
async function create(fs: LogFs, dir: string): Promise<Manifest> {
  for (const name of await fs.readdir(dir)) {
    const path = join(dir, name);
    // A crash while the log was made leaves these; they never held an entry.
    const isRest =
      name.endsWith(".tmp") ||
      (name === segmentName(1) && (await fs.size(path)) <= segmentHeaderBytes);
    if (!isRest) throw damaged(path, 0, "there is no manifest beside it");
    await fs.unlink(path);
  }
  const file = await createSegment(fs, dir, 1);
  await file.close();
  const manifest = { firstSegment: 1, lastSegment: 1, hardState: { term: 0, votedFor: null } };
  await writeManifest(fs, dir, manifest);
  return manifest;
}

async function readSegments(
  fs: LogFs,
  dir: string,
  manifest: Manifest,
): Promise<{ segments: Segment[]; entries: Entry[]; fileEnd: number; tornBytes: number }> {
  const names = new Set(await fs.readdir(dir));
  const segments: Segment[] = [];
  const entries: Entry[] = [];
  let fileEnd = 0;
  let tornBytes = 0;
  for (const first of ownSegments(names, manifest)) {
    const expected = manifest.firstSegment + entries.length;
    if (first !== expected) {
      throw damaged(
        join(dir, segmentName(first)),
        0,
        `expected a segment that starts at entry ${expected} before it`,
      );
    }
    const content = await readSegment(fs, dir, first, first === manifest.lastSegment);
    segments.push({ first, offsets: [...content.offsets], end: content.end });
    for (const entry of content.entries) entries.push(entry);
    fileEnd = content.fileEnd;
    tornBytes = content.tornBytes;
  }
  if (segments.at(-1)?.first !== manifest.lastSegment) {
    throw damaged(join(dir, segmentName(manifest.lastSegment)), 0, "it is missing");
  }
  return { segments, entries, fileEnd, tornBytes };
}

/** First indexes of the segments that the manifest spans, in order. */
function ownSegments(names: Iterable<string>, manifest: Manifest): readonly number[] {
  return [...names]
    .map(segmentIndex)
    .filter((first) => first !== undefined)
    .filter((first) => first >= manifest.firstSegment && first <= manifest.lastSegment)
    .sort((a, b) => a - b);
}

/** The newest snapshot that is whole; it must reach up to the log. */
async function findSnapshot(
  fs: LogFs,
  dir: string,
  firstIndex: number,
): Promise<SnapshotPoint | undefined> {
  let damage: unknown;
  for (const index of snapshotIndexes(await fs.readdir(dir))) {
    if (index < firstIndex - 1) break;
    try {
      return await checkSnapshot(fs, dir, index);
    } catch (error) {
      // A disk that cannot be read may hold a good snapshot; passing over it would lose that.
      if (!(error instanceof HalonError)) throw error;
      damage ??= error;
    }
  }
  if (firstIndex === 1) return undefined;
  throw (
    damage ??
    damaged(
      join(dir, snapshotName(firstIndex - 1)),
      0,
      `the log starts at entry ${firstIndex}, and no snapshot covers what is before`,
    )
  );
}

async function removeLeftOvers(fs: LogFs, dir: string, manifest: Manifest): Promise<void> {
  for (const name of await fs.readdir(dir)) {
    const first = segmentIndex(name);
    const isOutside =
      first !== undefined && (first < manifest.firstSegment || first > manifest.lastSegment);
    if (isOutside || name.endsWith(".tmp")) await fs.unlink(join(dir, name));
  }
  await fs.syncDir(dir);
}

function snapshotFiles(fs: LogFs, dir: string): SnapshotFiles {
  async function removeBefore(before: number): Promise<void> {
    for (const index of snapshotIndexes(await fs.readdir(dir))) {
      if (index < before) await fs.unlink(join(dir, snapshotName(index)));
    }
    // Of snapshots that were begun and given up.
    for (const name of await fs.readdir(dir)) {
      if (name.endsWith(".snapshot.tmp")) await fs.unlink(join(dir, name));
    }
    await fs.syncDir(dir);
  }
  return {
    save: (point, chunks) => writeSnapshot(fs, dir, point, chunks),
    async *chunks(point) {
      try {
        yield* readSnapshot(fs, dir, point.index);
      } catch (error) {
        throw diskRefused(dir, error);
      }
    },
    open: (point) => openOutgoing(fs, dir, point),
    incoming: new IncomingSnapshot(fs, dir),
    removeBefore,
  };
}
