import type { EventInput } from "@halon/coordinator/core";
import type { Graph } from "@halon/graph";
import type {
  AgentCore,
  AgentEffect,
  HeardBeat,
  LeaderCore,
  LeaderSearch,
  LeaseRenewals,
  LogFollower,
  LostLeader,
  PartsCore,
  Supervision,
  SupervisorWatch,
} from "@halon/node/core";
import type { InstanceEvent, Site } from "@halon/service/core";
import type { World } from "../world.ts";
import type { HttpRequest } from "./bootstrap-http.ts";
import type { SimLink } from "./links.ts";
import type { Envelope, PendingCall, TrackerMessage } from "./messages.ts";
import type { CoordinatorNews } from "./news.ts";
import type { ProcessAnswer } from "./services.ts";
import type { Due, Thread } from "./threads.ts";
import type { OperatorRequest } from "./world.ts";

/** What waits for the main thread of a node. */
export type MainInput =
  | Due
  | { readonly type: "news"; readonly news: CoordinatorNews }
  | { readonly type: "linkAsked"; readonly link: SimLink }
  | { readonly type: "linkUp"; readonly link: SimLink; readonly slot: number }
  | { readonly type: "linkRefused" | "linkDown"; readonly link: SimLink; readonly reason: string }
  | { readonly type: "frame"; readonly link: SimLink; readonly text: string }
  /** From this node itself. */
  | { readonly type: "local"; readonly envelope: Envelope }
  /** What a machine sends without a link. */
  | { readonly type: "packet"; readonly from: number; readonly text: string }
  | { readonly type: "heard"; readonly instance: string; readonly event: InstanceEvent }
  | { readonly type: "answers"; readonly ref: number; readonly answer: ProcessAnswer }
  | { readonly type: "asked"; readonly request: OperatorRequest }
  /** From a node that is not part of the cluster yet. */
  | { readonly type: "http"; readonly request: HttpRequest }
  /** The beat thread saw beats so late; ms. */
  | { readonly type: "late"; readonly ms: number }
  /** The supervisor dies. */
  | { readonly type: "supervisorEnds" }
  /** It is stopped by a person, and starts again so long after its end; µs. */
  | { readonly type: "leaves"; readonly forUs: number };

/** The node's copy of the graph. */
export interface SimReplica {
  graph: Graph;
  index: number;
  epoch: number;
}

/** The link to the node that leads, or is thought to. */
export interface LeaderLink {
  /** `host:port`; null: there is nobody to link to. */
  address: string | null;
  link: SimLink | null;
  attempt: number;
  upAtUs: number;
  /** Name of the node at the other end while it is up. */
  peer: string | undefined;
  lost: LostLeader | undefined;
}

/** What the beat thread keeps. */
export interface SimBeats {
  /** Slots that get the beats of this node. */
  targets: readonly number[];
  /** Incarnations of the other nodes, as the graph has them. */
  known: ReadonlyMap<string, number>;
  readonly last: Map<string, HeardBeat>;
  /** Those that the main thread has not taken. */
  fresh: BeatArrival[];
  turnedAtMs: number;
  /** Turns of the main thread, as the last beat had them. */
  mainTurns: number;
  /** When it was late last; ms. */
  lateAtMs: number;
  /** Who gets the beats of each node besides the leader. */
  observers: ReadonlyMap<string, readonly string[]>;
}

/** A beat that has come in. */
export interface BeatArrival extends HeardBeat {
  readonly counters: { readonly main: number; readonly supervisor: number };
}

/** The supervisor of a node. */
export interface SimSupervisor {
  isAlive: boolean;
  starts: number;
  /** Its looks at the instances, since `halond` began. */
  looks: number;
  readonly watch: SupervisorWatch;
  /** Supervisors that it watches: their last start. */
  watched: ReadonlyMap<string, number>;
}

/** What the tracker of a tracking node has: messages are taken one after another, each after the answer before it. */
export interface SimTracker {
  readonly core: LeaderCore;
  readonly waiting: TrackerMessage[];
  /** The question that is not answered. */
  asked: { readonly ref: number; readonly message: TrackerMessage } | null;
  owner: string | null;
  supervision: Supervision;
  coordinatorStartedMs: number;
  /** Coordinators that have ended, and how many of them its part was told of; -1: none began. */
  ends: number;
  toldEnds: number;
  /** Why the last of them ended. */
  lastEnd: string | null;
  /** Operators that wait, by the number that the coordinator knows. */
  readonly operators: Map<number, number>;
}

/** What a satellite has instead. */
export interface SimSatellite {
  readonly search: LeaderSearch;
  readonly follower: LogFollower;
}

/** One start of `halond`, as far as its main thread goes. */
export interface SimHalond extends Thread<MainInput> {
  readonly incarnation: number;
  readonly startedUs: number;
  /** Hands an event of this node to its agent. */
  readonly emit: (world: World, halond: SimHalond, type: string, data: unknown) => void;
  /** Tells its agent that the leader cannot be reached. */
  readonly disconnected: (world: World, halond: SimHalond) => void;
  readonly agent: AgentCore;
  /** Effects of the agent that are not carried out yet, in order. */
  readonly agentWork: AgentEffect[];
  isAgentRunning: boolean;
  readonly renewals: LeaseRenewals;
  /** Starts that wait for their lease, by instance: the agent's numbers. */
  readonly acquiring: Map<string, number>;
  readonly site: Site;
  readonly parts: PartsCore;
  readonly tracker: SimTracker | null;
  readonly satellite: SimSatellite | null;
  readonly replica: SimReplica;
  readonly leaderLink: LeaderLink;
  /** Control links that are up, by slot of the peer. */
  readonly links: Map<number, SimLink>;
  readonly calls: Map<number, PendingCall>;
  readonly beats: SimBeats;
  readonly supervisor: SimSupervisor;
}

/** What a node tells its coordinator that it saw. */
export function eventOf(type: string, data: EventInput["data"]): EventInput {
  return { type, version: 1, data };
}
