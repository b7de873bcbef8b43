import type { Change, Command, ErrorCode } from "@halon/protocol";
import type { NumberedNodeEvent } from "./event-queue.ts";

/** What one record did to the graph, as followers get it. */
export interface ReplicaDelta {
  readonly index: number;
  readonly epoch: number;
  readonly revision: number;
  readonly changes: readonly Change[];
}

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

/** A lease that a node asks to be renewed: for which instance, with the token of its start. */
export interface AskedLease {
  readonly instance: string;
  readonly token: number;
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

/** What an agent sends to the node that leads. `attach` and `renew` are answered. */
export type ToTracker =
  | Attach
  | Renew
  | {
      readonly type: "events";
      readonly node: string;
      readonly incarnation: number;
      readonly events: readonly NumberedNodeEvent[];
    };

/** What the node that leads sends to an agent. */
export type ToAgent =
  /** For the start of the node that attached with this incarnation; a leader of an older build does not say. */
  | {
      readonly type: "commands";
      readonly incarnation?: number;
      readonly commands: readonly Command[];
    }
  | { readonly type: "ack"; readonly sequence: number }
  | { readonly type: "gap"; readonly expected: number }
  | { readonly type: "delta"; readonly delta: ReplicaDelta }
  /** The sender leads; the last record that it has. */
  | { readonly type: "heard"; readonly index: number }
  /** The leader has changed, or its coordinator: attach again. */
  | { readonly type: "detached" };

/** Why something was refused, as it crosses between nodes. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}
