import type { HistoryQuery } from "@halon/coordinator";
import type { EventEntry } from "@halon/protocol";

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
