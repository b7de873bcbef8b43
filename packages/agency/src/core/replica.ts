import type { KvState } from "@halon/kv";
import type { Configuration, Found, MemberId, RaftOptions, RaftState } from "@halon/raft";
import type { ReplicaEffect } from "./effect.ts";
import type { ReplicaInput } from "./input.ts";

/** Fixed for the life of a replica. */
export interface ReplicaOptions {
  readonly id: MemberId;
  readonly raft: RaftOptions;
  readonly seed: number;
  /** Text to UTF-8 and back; both pure. */
  readonly encode: (text: string) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => string;
  readonly agencySize: number;
  /** In transactions, see `isSnapshotDue` and `keptFrom`. */
  readonly compactionStep: number;
  readonly compactionKeep: number;
}

/** What a driver found on its disk; for a first start an empty log and the first configuration. */
export interface ReplicaStart {
  readonly found: Found;
  readonly configuration: Configuration;
  /** As of the snapshot of `found`. */
  readonly state: KvState;
  /** Size of that snapshot, 0 when there is none. */
  readonly snapshotBytes: number;
}

/**
 * Joins consensus and the tree: sequences requests, applies what is committed, answers what waits (RFC 0005).
 *
 * A state of one owner, changed in place: equal histories of inputs give equal effects. No clock, no randomness.
 */
export class Replica {
  constructor(_options: ReplicaOptions, _start: ReplicaStart) {
    throw new Error("not built yet");
  }

  get raft(): RaftState {
    throw new Error("not built yet");
  }

  /** Index of raft up to which `committed` holds all entries. */
  get appliedIndex(): number {
    throw new Error("not built yet");
  }

  /** The configuration as of `appliedIndex`. */
  get configuration(): Configuration {
    throw new Error("not built yet");
  }

  get committed(): KvState {
    throw new Error("not built yet");
  }

  /** With what is not committed yet; null unless this is a leader that sequences. */
  get sequenced(): KvState | null {
    throw new Error("not built yet");
  }

  get transient(): KvState {
    throw new Error("not built yet");
  }

  /** Requests that wait for an answer. */
  get waitingCount(): number {
    throw new Error("not built yet");
  }

  step(_input: ReplicaInput): readonly ReplicaEffect[] {
    throw new Error("not built yet");
  }
}
