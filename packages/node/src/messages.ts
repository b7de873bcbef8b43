import type { HistoryQuery } from "@halon/coordinator";
import type { Command, EventEntry } from "@halon/protocol";
import type { NumberedNodeEvent } from "./core/index.ts";
import type { ReplicaDelta } from "./replica.ts";

/** Name of the process on the tracking node that agents talk to. */
export const trackerName = "tracker";
/** Name of the process on every node that carries out commands. */
export const agentName = "agent";
/** Bulk requests that the tracking node answers. */
export const bulk = { replica: "replica", blob: "blob" } as const;

/** The agent asks to be taken in, after every (re)connect. */
export interface Attach {
  readonly type: "attach";
  readonly node: string;
  readonly incarnation: number;
}

export interface Attached {
  readonly clusterId: string;
  readonly leader: string;
  /** The last of this node's events, of this incarnation, that has taken effect. */
  readonly sequence: number;
}

export type ToTracker =
  | Attach
  | {
      readonly type: "events";
      readonly node: string;
      readonly incarnation: number;
      readonly events: readonly NumberedNodeEvent[];
    }
  | { readonly type: "history"; readonly query: HistoryQuery };

export type HistoryAnswer = readonly EventEntry[];

export type ToAgent =
  | { readonly type: "commands"; readonly commands: readonly Command[] }
  | { readonly type: "ack"; readonly sequence: number }
  | { readonly type: "gap"; readonly expected: number }
  | { readonly type: "delta"; readonly delta: ReplicaDelta }
  /** The coordinator has started anew: attach again. */
  | { readonly type: "detached" };
