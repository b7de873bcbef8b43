import type { Command, ErrorData, EventEntry } from "@halon/protocol";
import type { EventInput, Reply } from "../core/index.ts";
import type { HistoryQuery } from "../history.ts";

/** What the coordinator's thread is started with. */
export interface CoordinatorData {
  readonly dataDir: string;
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
  /** The node has connected again: everything outstanding goes out once more. */
  | { readonly type: "resend"; readonly node: string }
  | {
      readonly type: "watermark";
      readonly ref: number;
      readonly source: string;
      readonly incarnation: number;
    }
  | { readonly type: "history"; readonly ref: number; readonly query: HistoryQuery }
  | { readonly type: "stop" };

/** What the coordinator tells the main thread. */
export type FromCoordinator =
  | {
      readonly type: "ready";
      readonly epoch: number;
      readonly index: number;
      readonly clusterId: string;
      /** The graph's JSON. */
      readonly graph: string;
    }
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
  | { readonly type: "watermarkIs"; readonly ref: number; readonly sequence: number }
  | { readonly type: "historyIs"; readonly ref: number; readonly entries: readonly EventEntry[] }
  | { readonly type: "failed"; readonly ref: number; readonly error: ErrorData }
  /** The rule files that are loaded from now on, for reading the shared progress. */
  | {
      readonly type: "ruleFiles";
      readonly files: readonly { readonly name: string; readonly blob: string }[];
    }
  | { readonly type: "warning"; readonly text: string }
  /** It ends after this. */
  | { readonly type: "fatal"; readonly error: ErrorData };
