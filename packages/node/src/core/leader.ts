import type { Command, GraphView } from "@halon/protocol";
import type {
  AskedLease,
  Attach,
  Attached,
  Refusal,
  Renew,
  Renewed,
  ReplicaDelta,
  ToAgent,
} from "./agent-messages.ts";
import type { NumberedNodeEvent } from "./event-queue.ts";
import type { HeardBeat, Observation } from "./failure-detector.ts";

/** The driver gives `tellHeard` so often, in ms: reads of nodes say how old they are. */
export const heardEveryMs = 250;
/** Who has not said by then when it heard another node is not waited for; ms. */
export const opinionMs = 400;

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

/**
 * Decides what the leader's part of a tracking node does: whom it serves, what it tells whom, and whom it watches.
 *
 * It stands between the coordinator and the agents of all nodes; on a node that does not lead it refuses them. `now` is of
 * one monotonic clock, in ms. The driver gives `tick` every `tickMs` while it leads.
 */
export class LeaderCore {
  constructor(
    options: {
      readonly name: string;
      readonly clusterId: string;
      /** Names of all tracking nodes: their replicas are fed by their own coordinators. */
      readonly trackingNodes: ReadonlySet<string>;
    },
    reads: LeaderReads,
  ) {
    throw new Error(`not yet: ${options.name} ${reads}`);
  }

  get leads(): boolean {
    throw new Error("not yet");
  }

  /** The coordinator decides from now on: every node has to attach to it, or is down. */
  lead(_epoch: number, _now: number): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** The coordinator has ended: nobody is attached any more. */
  rest(): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** The coordinator tells single nodes something. */
  word(_word: CoordinatorWord): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** A record has been folded into the replica of this node. */
  record(_delta: ReplicaDelta): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** An agent asks to be taken in; `ref` is the driver's number for its answer. */
  attach(_ref: number, _message: Attach): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** The coordinator has answered. */
  watermark(_ref: number, _sequence: number, _now: number): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** The coordinator has refused, or not answered. */
  noWatermark(_ref: number, _refusal: Refusal): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** An agent asks for leases, in words that nobody has checked; `ref` as of `attach`. */
  renew(_ref: number, _message: Renew): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** An agent sends events. */
  events(
    _node: string,
    _incarnation: number,
    _events: readonly NumberedNodeEvent[],
  ): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** Beats have come in, in this order. */
  heard(_beats: readonly HeardBeat[], _now: number): void {
    throw new Error("not yet");
  }

  /** This node saw beats so late, in ms. */
  late(_ms: number, _now: number): void {
    throw new Error("not yet");
  }

  /** The control link to the node has ended. */
  linkDown(_node: string, _reason: string, _now: number): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** What `from` answered to `askOpinions`; `ref` and `about` are those of the question. Null: it cannot say. */
  opinion(
    _answer: {
      readonly ref: number;
      readonly about: string;
      readonly from: string;
      readonly ageMs: number | null;
    },
    _now: number,
  ): void {
    throw new Error("not yet");
  }

  /** `lateMs`: how late this node is in seeing beats just now. */
  tick(_lateMs: number, _now: number): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** Every `heardEveryMs`, leading or not. */
  tellHeard(): readonly LeaderEffect[] {
    throw new Error("not yet");
  }

  /** Why a peer may not open a link to this node, or null. */
  refusal(_node: string, _incarnation: number): string | null {
    throw new Error("not yet");
  }
}
