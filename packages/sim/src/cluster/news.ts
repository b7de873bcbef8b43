import type { EventInput, Reply } from "@halon/coordinator/core";
import type { Graph } from "@halon/graph";
import type { AskedLease, NumberedNodeEvent, ReplicaDelta } from "@halon/node/core";
import type { Command, ErrorData } from "@halon/protocol";

/** What the main thread tells its coordinator. Numbers are the main thread's. */
export type ToCoordinator =
  | {
      readonly type: "events";
      readonly source: string;
      readonly incarnation: number;
      readonly events: readonly NumberedNodeEvent[];
    }
  | {
      readonly type: "submit";
      readonly ref: number;
      readonly id: string;
      readonly event: EventInput;
    }
  | { readonly type: "observe"; readonly event: EventInput }
  | {
      readonly type: "renew";
      readonly ref: number;
      readonly node: string;
      readonly asked: readonly AskedLease[];
    }
  | { readonly type: "resend"; readonly node: string }
  | {
      readonly type: "watermark";
      readonly ref: number;
      readonly source: string;
      readonly incarnation: number;
    };

/** What a coordinator tells its main thread, in order. */
export type CoordinatorNews =
  /** A copy of the graph, for the replica of the node. */
  | {
      readonly type: "following";
      readonly graph: Graph;
      readonly index: number;
      readonly epoch: number;
    }
  | { readonly type: "leading"; readonly epoch: number }
  /** `host:port` of the node whose member leads. */
  | { readonly type: "owner"; readonly address: string | null }
  | { readonly type: "commands"; readonly commands: readonly Command[] }
  | { readonly type: "ack"; readonly source: string; readonly sequence: number }
  | { readonly type: "gap"; readonly source: string; readonly expected: number }
  | { readonly type: "record"; readonly delta: ReplicaDelta }
  | { readonly type: "reply"; readonly ref: number; readonly reply: Reply }
  | { readonly type: "granted"; readonly ref: number; readonly instances: readonly string[] }
  | { readonly type: "watermarkIs"; readonly ref: number; readonly sequence: number }
  | { readonly type: "failed"; readonly ref: number; readonly error: ErrorData }
  /** The last of one coordinator. */
  | { readonly type: "ended"; readonly code: string; readonly reason: string };
