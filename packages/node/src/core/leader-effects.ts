import type { Command, GraphView } from "@halon/protocol";
import type { AskedLease, Attached, Refusal, Renewed, ToAgent } from "./agent-messages.ts";
import type { NumberedNodeEvent } from "./event-queue.ts";
import type { HeardBeat, Observation } from "./failure-detector.ts";

/** A leader to which the link broke by itself, and when; monotonic ms. */
export interface LostLeader {
  readonly node: string;
  readonly reason: string;
  readonly at: number;
}

/** What the leader's part reads of its node, at any moment; none of it changes anything. */
export interface LeaderReads {
  /** The graph as the replica of this node has it. */
  view(): GraphView;
  /** The last record in it. */
  index(): number;
  /** Nodes with a control link to this one. */
  linked(): readonly string[];
  /** The last beat of the node that came in here. */
  lastBeat(node: string): HeardBeat | undefined;
  /** Who gets the beats of each node besides the leader. */
  observers(): ReadonlyMap<string, readonly string[]>;
  /** `host:port` of the node that leads, as far as is known. */
  owner(): string | null;
  /** The leader before, when the link to it broke. */
  lostLeader(): LostLeader | undefined;
}

/** What the coordinator tells single nodes. */
export type CoordinatorWord =
  | { readonly type: "commands"; readonly commands: readonly Command[] }
  | { readonly type: "ack"; readonly source: string; readonly sequence: number }
  | { readonly type: "gap"; readonly source: string; readonly expected: number };

/** What the driver of the leader's part has to do. `coordinator` is that of the last `lead`. */
export type LeaderEffect =
  /** Send it to the agent of the node, this one's own included; what cannot be sent is lost. */
  | { readonly type: "tell"; readonly node: string; readonly message: ToAgent }
  /** Hand them to the coordinator. */
  | {
      readonly type: "events";
      readonly source: string;
      readonly incarnation: number;
      readonly events: readonly NumberedNodeEvent[];
    }
  /** Hand it to the coordinator, and tell people. */
  | { readonly type: "observe"; readonly observation: Observation }
  /** Ask the coordinator for the watermark of the source; ends as `watermark` or `noWatermark`. */
  | {
      readonly type: "watermark";
      readonly ref: number;
      readonly source: string;
      readonly incarnation: number;
    }
  /** The coordinator is to send again what the node has not answered. */
  | { readonly type: "resend"; readonly node: string }
  /** Ask the coordinator, and answer the renewal of that number with what it grants, or with its error. */
  | {
      readonly type: "renew";
      readonly ref: number;
      readonly node: string;
      readonly asked: readonly AskedLease[];
    }
  /** Answer the attach or renewal of that number. */
  | { readonly type: "answer"; readonly ref: number; readonly answer: Attached | Renewed }
  | { readonly type: "refuse"; readonly ref: number; readonly refusal: Refusal }
  /** Ask the observers of these nodes when they last heard `about`, within `opinionMs`; each answer is an `opinion`. */
  | {
      readonly type: "askOpinions";
      readonly ref: number;
      readonly about: string;
      readonly of: readonly string[];
    };
