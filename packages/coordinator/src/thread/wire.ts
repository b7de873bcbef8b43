import type { MessagePort } from "node:worker_threads";
import type { Command, DeadLetterList, ErrorData, EventEntry } from "@halon/protocol";
import type { EventInput, Reply } from "../core/index.ts";
import type { AskedLease } from "../core/leases.ts";
import type { HistoryQuery } from "../history.ts";

/**
 * Where the decision log is kept.
 *
 * `agency`: the port leads to this node's member, and goes over to the thread. `etcd`: `etcd://…`.
 */
export type StoreData =
  | { readonly type: "agency"; readonly port: MessagePort }
  | { readonly type: "etcd"; readonly url: string };

/** What the coordinator's thread is started with. */
export interface CoordinatorData {
  readonly dataDir: string;
  /** `host:port` of this node, as others reach it. */
  readonly address: string;
  readonly store: StoreData;
  /** Name of the cluster and id to give it, when the log is empty. */
  readonly newCluster: { readonly id: string; readonly name: string };
  readonly journalBytesMax: number;
  readonly journalAgeMaxMs: number;
  /** Rule files that made the coordinator before hang: blob and reason. */
  readonly suspects: readonly { readonly blob: string; readonly reason: string }[];
}

/** What the host adds to it. */
export interface CoordinatorThreadData extends CoordinatorData {
  readonly progress: SharedArrayBuffer;
}

export interface NumberedEvent {
  readonly sequence: number;
  readonly event: EventInput;
}

/** A record for the journal, as another node's journal has it. */
export interface JournalRecord {
  readonly index: number;
  readonly data: Uint8Array;
}

/** What the main thread tells the coordinator. */
export type ToCoordinator =
  | {
      readonly type: "events";
      readonly source: string;
      readonly incarnation: number;
      readonly events: readonly NumberedEvent[];
    }
  | {
      readonly type: "submit";
      readonly ref: number;
      readonly id: string;
      readonly event: EventInput;
    }
  | { readonly type: "observe"; readonly event: EventInput }
  /** Asks for leases of exclusive instances; answered by `granted`. */
  | {
      readonly type: "renew";
      readonly ref: number;
      readonly node: string;
      readonly asked: readonly AskedLease[];
    }
  /** The node has connected again: everything outstanding goes out once more. */
  | { readonly type: "resend"; readonly node: string }
  | {
      readonly type: "watermark";
      readonly ref: number;
      readonly source: string;
      readonly incarnation: number;
    }
  | { readonly type: "history"; readonly ref: number; readonly query: HistoryQuery }
  | {
      readonly type: "readJournal";
      readonly ref: number;
      readonly from: number;
      readonly to: number;
    }
  | { readonly type: "deadLetters"; readonly ref: number }
  /** Asks for a copy of the state. */
  | { readonly type: "capture"; readonly ref: number }
  /** Some of what `journalGap` named, in order, at most 1 MiB. */
  | { readonly type: "journalRecords"; readonly records: readonly JournalRecord[] }
  /** Nobody has what is still missing of it. */
  | { readonly type: "journalGapStays" }
  | { readonly type: "stop" };

/** What the coordinator tells the main thread. */
export type FromCoordinator =
  /** It has folded all there is, and follows. Again after a snapshot from elsewhere has replaced records. */
  | {
      readonly type: "following";
      /** Of the last record folded, as is `epoch`; 0 for an empty log. */
      readonly index: number;
      readonly epoch: number;
      /** Null as long as the log does not say. */
      readonly clusterId: string | null;
      /** The graph's JSON. */
      readonly graph: string;
    }
  /** It decides from now on, after record `index`. */
  | { readonly type: "leading"; readonly epoch: number; readonly index: number }
  /** Which node's coordinator owns the store, as far as is known. */
  | { readonly type: "owner"; readonly address: string | null }
  /** The journal lacks these records and the store has them no more; what comes after them is kept once they came. */
  | { readonly type: "journalGap"; readonly from: number; readonly to: number }
  /** Code of rule files that this node lacks: fetch it. A takeover waits up to 10 s for it. */
  | { readonly type: "blobsMissing"; readonly blobs: readonly string[] }
  | { readonly type: "commands"; readonly commands: readonly Command[] }
  /** All up to `sequence` is durable. */
  | {
      readonly type: "ack";
      readonly source: string;
      readonly incarnation: number;
      readonly sequence: number;
    }
  | {
      readonly type: "gap";
      readonly source: string;
      readonly incarnation: number;
      readonly expected: number;
    }
  | { readonly type: "reply"; readonly ref: number; readonly reply: Reply }
  /** Canonical JSON of a committed record. */
  | { readonly type: "record"; readonly text: string }
  | { readonly type: "granted"; readonly ref: number; readonly instances: readonly string[] }
  | { readonly type: "watermarkIs"; readonly ref: number; readonly sequence: number }
  | { readonly type: "historyIs"; readonly ref: number; readonly entries: readonly EventEntry[] }
  | {
      readonly type: "journalIs";
      readonly ref: number;
      readonly records: readonly JournalRecord[];
    }
  | { readonly type: "deadLettersAre"; readonly ref: number; readonly list: DeadLetterList }
  /** The state as a snapshot has it. */
  | { readonly type: "captured"; readonly ref: number; readonly text: string }
  | { readonly type: "failed"; readonly ref: number; readonly error: ErrorData }
  /** The rule files that are loaded from now on, for reading the shared progress. */
  | {
      readonly type: "ruleFiles";
      readonly files: readonly { readonly name: string; readonly blob: string }[];
    }
  | { readonly type: "warning"; readonly text: string }
  /** It ends after this. */
  | { readonly type: "fatal"; readonly error: ErrorData };
