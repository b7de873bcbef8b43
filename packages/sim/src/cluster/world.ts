import type { CompleteSetup, SetupOptions } from "@halon/node/core";
import type { ErrorData, Json } from "@halon/protocol";
import type { Rules } from "@halon/rules";
import type { Prng } from "../prng.ts";
import type { ClusterSettings } from "../scenario.ts";
import type { SimMember, World } from "../world.ts";
import type { SimBeginning } from "./beginning.ts";
import type { SetupDisk } from "./bootstrap-disk.ts";
import type { HttpPayload } from "./bootstrap-http.ts";
import type { SimCoordinator } from "./coordinator-thread.ts";
import type { SimHalond } from "./halond.ts";
import type { ClusterRules, Happening } from "./happening.ts";
import type { LinkEvent, LinkFrame, SimLink } from "./links.ts";
import type { ServiceTable, ServiceTurn } from "./services.ts";
import type { AnyThread, Timer } from "./threads.ts";

/**
 * `up` has a `halond`; of one that `begins` the cluster is not complete; `down` starts again later; `dead` never.
 *
 * A tracking node's `halond` has the member in it: the one starts and ends with the other.
 */
export type NodeStatus = "up" | "begins" | "down" | "dead";

/**
 * One machine with Halon on it, `node-<slot + 1>`.
 *
 * Its pauses (`pausedUntil`), the rate of its clock and its member are those of the `SimMember` of its slot, which every
 * machine has; a satellite's never starts.
 */
export interface SimNode {
  readonly slot: number;
  readonly name: string;
  /** `host:port`. */
  readonly address: string;
  /** While its cluster begins: what its number lets expect. */
  role: "tracking" | "satellite";
  /** As its next join tells them. */
  labels: Readonly<Record<string, string>>;
  readonly member: SimMember;
  status: NodeStatus;
  /** The whole machine is away, and says nothing of it. */
  isLost: boolean;
  /** When it is to be told that its machine goes on after a pause; µs. */
  resumesAt: number;
  /** Grows with every start of its `halond`; on its disk. */
  incarnation: number;
  /** What its machine's monotonic clock shows at the virtual time 0; ms. */
  readonly clockBaseMs: number;
  /** What its wall clock is ahead of the true time; ms. */
  wallAheadMs: number;
  /** Every turn of its threads begins so much later; µs. */
  lateUs: number;
  readonly prng: Prng;
  /** What is not as the scenario says in the command line that starts it. */
  startOptions: Partial<SetupOptions>;
  readonly setupDisk: SetupDisk;
  /** Of its data directory. */
  dataDir: string;
  /** What `halond` knows of its cluster; null while it begins or is not there, and in a run without a beginning. */
  setup: CompleteSetup | null;
  /** Why its last start was refused. */
  refusal: { readonly code: string; readonly message: string } | null;
  /** `halond` while its cluster begins. */
  beginning: SimBeginning | null;
  /** Null while none runs. */
  halond: SimHalond | null;
  /** Of tracking nodes; null while it is not there, or is started again. */
  coordinator: SimCoordinator | null;
}

/** What an operator asks of a node, as over HTTP. */
export interface OperatorRequest {
  /** The operator's number. */
  readonly ref: number;
  /** Id of the client event, the same in each try. */
  readonly id: string;
  readonly event: { readonly type: string; readonly version: number; readonly data: Json };
}

/** What comes back of a request; after `unknown` the same id is asked again. */
export type OperatorAnswer =
  | { readonly type: "accepted"; readonly index: number }
  | { readonly type: "duplicate"; readonly index: number | null }
  | { readonly type: "refused"; readonly error: ErrorData }
  /** Name of the node that leads, as far as the one that was asked knows. */
  | { readonly type: "notLeader"; readonly leader: string | null }
  /** Nobody answered, or the connection closed. */
  | { readonly type: "unknown" };

/** A beat on its way. */
export interface SimBeat {
  readonly node: string;
  readonly incarnation: number;
  readonly counters: {
    readonly main: number;
    readonly supervisor: number;
    readonly coordinator: number;
    readonly member: number;
  };
}

/** Payloads of the cluster's events in the queue; see `eventKind`. */
export type ClusterPayload =
  | AnyThread
  | Timer
  | SimBeat
  | LinkFrame
  | LinkEvent
  | ServiceTurn
  | { readonly packet: string }
  | HttpPayload
  | OperatorRequest
  | { readonly ref: number; readonly answer: OperatorAnswer };

/** Whoever asked as an operator; hears of each request once. */
export interface OperatorPort {
  answered(world: World, ref: number, answer: OperatorAnswer): void;
  /** A wish of the scenario is due, or something of it is to be tried again; the numbers are its own. */
  due(world: World, a: number, b: number): void;
}

/** Where the world of members lets the cluster take part. */
export interface ClusterHooks {
  /** The first events of the run. */
  boot(world: World): void;
  /** A member has started: its `halond` comes up around it. */
  memberStarted(world: World, member: SimMember): void;
  memberEnded(world: World, member: SimMember): void;
  memberStepped(world: World, member: SimMember): void;
  /** The event at hand is one of the cluster's. */
  dispatch(world: World): void;
}

/** The cluster part of a run. */
export interface ClusterWorld {
  readonly settings: ClusterSettings;
  readonly clusterId: string;
  /** By slot: tracking nodes, then satellites. */
  readonly nodes: readonly SimNode[];
  readonly byName: ReadonlyMap<string, SimNode>;
  readonly byAddress: ReadonlyMap<string, SimNode>;
  /** Requests of operators without an answer: the slot that was asked. */
  readonly asked: Map<number, number>;
  /** Those that are open or being opened. */
  readonly links: Set<SimLink>;
  readonly services: ServiceTable;
  readonly rules: ClusterRules;
  readonly operators: OperatorPort;
  /** Those of the cluster beside the built-in rules; they act after them. */
  readonly ruleFiles: { readonly name: string; readonly rules: Rules }[];
  readonly hooks: ClusterHooks;
  /** The last of the numbers that are unique in a run. */
  lastNumber: number;
}

/** The tracking nodes as this one knows them from its setup. */
export function trackingOf(world: World, { setup }: SimNode): readonly SimNode[] {
  const { nodes, byName } = clusterOf(world);
  if (setup === null) return nodes.filter(({ role }) => role === "tracking");
  const peers = setup.peers.filter(({ role }) => role === "tracking");
  return peers.flatMap(({ name }) => byName.get(name) ?? []);
}

/** Reading of the machine's monotonic clock, which goes on while `halond` is away; ms with fractions. */
export function machineMs(world: World, node: SimNode): number {
  return node.clockBaseMs + (world.now * node.member.clockRate) / 1_000_000;
}

/** What the machine believes to be the time; ms since 1970. */
export function wallMs(world: World, node: SimNode): number {
  return Math.floor(1_700_000_000_000 + world.now / 1000 + node.wallAheadMs);
}

/** The virtual time at which the machine's monotonic clock shows so many ms more; µs. */
export function inMachineMs(world: World, node: SimNode, ms: number): number {
  return world.now + Math.max(0, Math.ceil((ms * 1_000_000) / node.member.clockRate));
}

/** The cluster of a run that has one. */
export function clusterOf(world: World): ClusterWorld {
  const { cluster } = world;
  if (cluster === null) throw new Error("this run has no cluster");
  return cluster;
}

/** Tells the rules what has happened. */
export function saw(world: World, what: Happening): void {
  clusterOf(world).rules.saw(world, what);
}
