import { applyEntry, type KvState } from "@halon/kv";
import { type Entry, entriesOf, entryKind, type RaftLog, type SnapshotMeta } from "@halon/raft";
import { isSnapshotDue, KeptEntries, type SnapshotStep } from "./compaction.ts";
import { commandText } from "./log-view.ts";
import { HostRecords, type Records } from "./records.ts";
import type { ReplicaOptions } from "./replica-options.ts";

/** With this much log, and four times the last snapshot, a new one is taken even while the last is being sent. */
const sendingBytesMax = 64 * 1024 * 1024;

/** A tree as of an index of raft. */
export interface Base {
  readonly index: number;
  readonly state: KvState;
}

/** What a snapshot on a disk holds, and its size there. */
export interface StoredState {
  readonly state: KvState;
  readonly records: Records;
  readonly bytes: number;
}

type Options = Pick<ReplicaOptions, "decode" | "compactionKeep" | "compactionKeepBytes">;

interface Saving {
  readonly snapshot: SnapshotMeta;
  readonly transaction: number;
  /** Position of the host's state in it. */
  readonly recordBase: number;
  /** Of the log since the snapshot before. */
  readonly bytesSince: number;
}

/** The tree and the host's log as far as entries are applied, and what is known of snapshots. Changed in place. */
export class Applied {
  readonly #options: Options;
  #index: number;
  #state: KvState;
  #kept: KeptEntries;
  #snapshotAt: number;
  #snapshotBytes: number;
  #bytesSince = 0;
  #bases: readonly Base[];
  #saving: Saving | null = null;
  readonly records: HostRecords;

  constructor(options: Options, log: RaftLog, snapshot: StoredState) {
    this.#options = options;
    this.#index = log.snapshot.index;
    this.#state = snapshot.state;
    this.#snapshotAt = snapshot.state.index;
    this.#snapshotBytes = snapshot.bytes;
    this.records = new HostRecords(snapshot.records);
    this.#kept = keptOf(log, this.#index, this.#options);
    this.#bases = [{ index: this.#index, state: this.#state }];
  }

  /** The trees of the last two snapshots, older first: from these, older trees can be made again. */
  get bases(): readonly Base[] {
    return this.#bases;
  }

  /** Of raft: all entries up to it are in `state`. */
  get index(): number {
    return this.#index;
  }

  get state(): KvState {
    return this.#state;
  }

  /** The last transaction that a snapshot on disk holds. */
  get snapshotAt(): number {
    return this.#snapshotAt;
  }

  /** Moves on by one entry; `sequenced` is what this leader knows to come of it. */
  add(entry: Entry, sequenced: KvState | null): void {
    if (entry.index !== this.#index + 1) {
      throw new Error(`expected entry ${this.#index + 1}, got ${entry.index}`);
    }
    if (entry.data[0] === entryKind.command) {
      this.#state =
        sequenced ?? applyEntry(this.#state, commandText(entry, this.#options.decode)).state;
    } else if (entry.data[0] === entryKind.record) {
      this.records.add(entry);
    }
    this.#index = entry.index;
    this.#bytesSince += entry.data.length;
    this.#kept.add(entry.data.length);
  }

  get isSaving(): boolean {
    return this.#saving !== null;
  }

  /** `isSending`: a snapshot is on its way to a follower, which a newer one would begin again. */
  isSnapshotDue(step: SnapshotStep, isSending: boolean): boolean {
    if (isSending && this.#bytesSince < sendingBytesMax + 4 * this.#snapshotBytes) return false;
    const transactions = this.#state.index - this.#snapshotAt;
    const snapshotBytes = this.#snapshotBytes;
    return isSnapshotDue({ transactions, bytes: this.#bytesSince, snapshotBytes }, step);
  }

  /** A snapshot of what is applied now, with the host's state as of `recordBase`, is being saved. */
  saving(snapshot: SnapshotMeta, recordBase: number): void {
    const { index: transaction } = this.#state;
    this.#saving = { snapshot, transaction, recordBase, bytesSince: this.#bytesSince };
    this.#bases = [...this.#bases.slice(-1), { index: this.#index, state: this.#state }];
    this.#bytesSince = 0;
  }

  /** First index to keep now; null when a newer snapshot came from elsewhere. */
  saved(log: RaftLog, snapshot: SnapshotMeta, bytes: number): number | null {
    const saving = this.#saving;
    this.#saving = null;
    // One of the same index takes the place of that before: the host's state has moved on.
    if (saving === null || log.snapshot.index > snapshot.index) return null;
    this.#snapshotAt = saving.transaction;
    this.records.dropTo(saving.recordBase);
    this.#snapshotBytes = bytes;
    return this.#kept.keptFrom(log, snapshot.index, saving.transaction);
  }

  /** What was being saved is not there, and the snapshot before it still is. */
  notSaved(): void {
    this.#bytesSince += this.#saving?.bytesSince ?? 0;
    this.#saving = null;
  }

  /** The state came as a snapshot; `log` is as it is with it. */
  install(log: RaftLog, snapshot: StoredState): void {
    this.#saving = null;
    this.#index = log.snapshot.index;
    this.#state = snapshot.state;
    this.#snapshotAt = snapshot.state.index;
    this.#snapshotBytes = snapshot.bytes;
    this.#bytesSince = 0;
    this.records.install(snapshot.records);
    this.#kept = keptOf(log, this.#index, this.#options);
    this.#bases = [{ index: this.#index, state: this.#state }];
  }
}

function keptOf(log: RaftLog, index: number, options: Options): KeptEntries {
  const { compactionKeep, compactionKeepBytes } = options;
  const kept = new KeptEntries(log.firstIndex, compactionKeep, compactionKeepBytes);
  if (index < log.firstIndex) return kept;
  for (const entry of entriesOf(log, log.firstIndex, index)) kept.add(entry.data.length);
  return kept;
}
