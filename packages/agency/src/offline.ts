import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { applyEntry, emptyKv, type KvState, SnapshotReader } from "@halon/kv";
import { HalonError } from "@halon/protocol";
import { type Configuration, entryKind } from "@halon/raft";
import { commandText, isCommand } from "./core/log-view.ts";
import { HostRecords, noRecords } from "./core/records.ts";
import { readSnapshotBody } from "./http/snapshot-body.ts";
import { clusterOf, newIdentity, readIdentity, writeIdentity } from "./identity.ts";
import { openLog } from "./open-log.ts";
import {
  type HostPart,
  hostChunks,
  noChunks,
  readSnapshotBytes,
  snapshotBytes,
} from "./snapshot-state.ts";

/** What became of a data directory. */
export interface OfflineOutcome {
  readonly id: string;
  readonly cluster: string;
  /** Of the last transaction held. */
  readonly index: number;
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

/**
 * Makes an agency of one from what this member holds, committed or not, with a new cluster id and member id.
 *
 * For when a majority is lost for good; the log as it was stays beside it as `agency.before-rebuild`. Nobody else
 * may use the directory. `advertise` null: the address stays. Errors: HAL_STORE_DAMAGED, HAL_DATA_DIR_INVALID.
 */
export async function rebuild(dataDir: string, advertise: string | null): Promise<OfflineOutcome> {
  const identity = readIdentity(dataDir);
  if (identity === null) throw invalid(dataDir, "it holds no agency");
  const where = join(dataDir, "agency");
  const log = await openLog({ dir: where });
  const stored = log.loadSnapshot();
  const loaded = stored === undefined ? null : await readSnapshotBytes(stored.chunks, where);
  let state = loaded?.state ?? emptyKv;
  const records = new HostRecords(loaded?.records ?? noRecords);
  const from = (log.snapshot?.index ?? 0) + 1;
  for (const entry of log.read(Math.max(from, log.firstIndex))) {
    if (isCommand(entry)) state = applyEntry(state, commandText(entry, decode)).state;
    else if (entry.data[0] === entryKind.record) records.add(entry);
  }
  const { base } = records;
  const host: HostPart = {
    records: records.since(base),
    chunks: base === 0 ? noChunks() : hostChunks(log.loadSnapshot()?.chunks ?? noChunks(), base),
  };
  const point = { index: Math.max(1, log.lastIndex), term: Math.max(1, log.hardState.term) };
  await log.close();
  const address = advertise ?? identity.pool[identity.id] ?? "";
  return makeAgency(dataDir, address, point, { state, host });
}

/**
 * Makes a data directory for an agency of one from a saved snapshot, the bytes of `GET /v1/agency/snapshot`.
 *
 * The directory must hold no agency. Errors: HAL_STORE_DAMAGED when the snapshot is, HAL_DATA_DIR_INVALID.
 */
export async function restoreSnapshot(
  snapshot: AsyncIterable<Uint8Array>,
  dataDir: string,
  advertise: string,
): Promise<OfflineOutcome> {
  if (readIdentity(dataDir) !== null) throw invalid(dataDir, "it holds an agency already");
  const reader = new SnapshotReader();
  let state: KvState;
  try {
    for await (const chunk of readSnapshotBody(snapshot)) reader.push(chunk);
    state = reader.finish();
  } catch (cause) {
    if (cause instanceof HalonError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HalonError("HAL_STORE_DAMAGED", `The snapshot is damaged: ${reason}.`, { cause });
  }
  const host: HostPart = { records: noRecords, chunks: noChunks() };
  return makeAgency(dataDir, advertise, { index: 1, term: 1 }, { state, host });
}

/** The new log is made whole beside the old one, and takes its place before the new identity counts. */
async function makeAgency(
  dataDir: string,
  advertise: string,
  point: { readonly index: number; readonly term: number },
  { state, host }: { readonly state: KvState; readonly host: HostPart },
): Promise<OfflineOutcome> {
  const fresh = newIdentity(advertise, 1, []);
  const { id, pool } = fresh;
  const cluster = clusterOf(pool);
  const members = [{ id, address: advertise }];
  const configuration: Configuration = { members, voters: [id], outgoing: [], learners: [] };

  const building = join(dataDir, "agency.new");
  await rm(building, { recursive: true, force: true });
  const log = await openLog({ dir: building });
  await log.saveHardState({ term: point.term, votedFor: null });
  await log.saveSnapshot(point, snapshotBytes({ cluster, configuration }, state, host));
  await log.compactTo(point.index);
  await log.close();

  const place = join(dataDir, "agency");
  const before = join(dataDir, "agency.before-rebuild");
  if (existsSync(place)) {
    await rm(before, { recursive: true, force: true });
    await rename(place, before);
  }
  await rename(building, place);
  writeIdentity(dataDir, { ...fresh, cluster, founders: pool });
  return { id, cluster, index: state.index };
}

function invalid(dataDir: string, what: string): HalonError {
  return new HalonError(
    "HAL_DATA_DIR_INVALID",
    `The data directory ${dataDir} cannot be used for this: ${what}.`,
  );
}
