import type { KvState } from "@halon/kv";
import type { Configuration, Found, MemberId, RaftOptions } from "@halon/raft";
import type { Decode } from "./log-view.ts";
import type { Records } from "./records.ts";

/** Fixed for the life of a replica. */
export interface ReplicaOptions {
  readonly id: MemberId;
  readonly raft: RaftOptions;
  /** 32 bits, another at each start. */
  readonly seed: number;
  /** Text to UTF-8 and back; both pure. */
  readonly encode: (text: string) => Uint8Array;
  readonly decode: Decode;
  readonly agencySize: number;
  /** In transactions, see `isSnapshotDue` and `KeptEntries`. */
  readonly compactionStep: number;
  readonly compactionKeep: number;
  /** Bytes of entries that stay before a snapshot; 32 MiB when left out. */
  readonly compactionKeepBytes?: number;
  /** No snapshot before so many bytes of log; 0 when left out. */
  readonly compactionBytesMin?: number;
}

/** What a driver found on its disk. */
export interface ReplicaStart {
  /** Null: a first start. */
  readonly found: Found | null;
  /** Of a first start: at index 0; empty for a member that waits to be added. */
  readonly configuration: Configuration;
  /** As of the snapshot of `found`. */
  readonly state: KvState;
  readonly records: Records;
  /** Size of that snapshot, 0 when there is none. */
  readonly snapshotBytes: number;
}
