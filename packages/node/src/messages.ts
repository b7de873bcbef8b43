import type { AskedLease, HistoryQuery } from "@halon/coordinator";
import type { Command, EventEntry } from "@halon/protocol";
import type { NumberedNodeEvent } from "./core/index.ts";
import type { ReplicaDelta } from "./replica.ts";

/** Name of the process on tracking nodes that agents talk to. */
export const trackerName = "tracker";
/** Name of the process on tracking nodes that reads the journal. */
export const historyName = "history";
/** Name of the process on tracking nodes that keeps blobs for the leader. */
export const blobsName = "blobs";
/** Name of the process on every node that says when it last heard another. */
export const observerName = "observer";
/** Name of the process on every node that carries out commands. */
export const agentName = "agent";
/**
 * Bulk requests that tracking nodes answer. With `own` what they have themselves; else the leader asks the others for
 * what it lacks.
 */
export const bulk = { replica: "replica", blob: "blob", journal: "journal" } as const;

/** The agent asks to be taken in, by every leader and after every reconnect. */
export interface Attach {
  readonly type: "attach";
  readonly node: string;
  readonly incarnation: number;
}

export interface Attached {
  readonly clusterId: string;
  readonly leader: string;
  readonly epoch: number;
  /** The last record that the leader's replica has; deltas of those after it follow. */
  readonly index: number;
  /** The last of this node's events, of this incarnation, that has taken effect. */
  readonly sequence: number;
}

/** The agent asks for another lease of each exclusive instance of its node. */
export interface Renew {
  readonly type: "renew";
  readonly node: string;
  readonly asked: readonly AskedLease[];
}

export interface Renewed {
  /** The instances that may run for another lease, which counts from when the node asked. */
  readonly granted: readonly string[];
}

export type ToTracker =
  | Attach
  | Renew
  | {
      readonly type: "events";
      readonly node: string;
      readonly incarnation: number;
      readonly events: readonly NumberedNodeEvent[];
    };

/** Asks a node when it last heard another; of itself it answers at once. */
export interface ToObserver {
  readonly type: "opinion";
  readonly about: string;
}

/** Age of the last beat by the clock of the node that was asked, in ms; null: it cannot say. */
export interface Opinion {
  readonly ageMs: number | null;
}

export interface ToHistory {
  readonly type: "history";
  readonly query: HistoryQuery;
}

export type HistoryAnswer = readonly EventEntry[];

/** Asks for these blobs to be kept; answered when all are durable. Those that lack are at node `from`. */
export interface ToBlobs {
  readonly type: "keep";
  readonly hashes: readonly string[];
  readonly from: string;
}

export type ToAgent =
  | { readonly type: "commands"; readonly commands: readonly Command[] }
  | { readonly type: "ack"; readonly sequence: number }
  | { readonly type: "gap"; readonly expected: number }
  | { readonly type: "delta"; readonly delta: ReplicaDelta }
  /** The sender leads; the last record that it has. */
  | { readonly type: "heard"; readonly index: number }
  /** The leader has changed, or its coordinator: attach again. */
  | { readonly type: "detached" };
