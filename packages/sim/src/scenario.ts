import type { SimService } from "./cluster/scripts.ts";

/** Whom a fault meets: found when the fault begins, as the `pick`-th of those who have the role then. */
export interface Target {
  readonly role: "leader" | "follower" | "any";
  readonly pick: number;
}

/** What a crash leaves of the writes that were not synced: nothing, whole ones, or a last one in part. */
export type CrashTail = "lost" | "prefix" | "torn";

/** How a network is cut: in halves, one member away, halves that share a bridge, a ring, one direction, one link. */
export type CutShape = "halves" | "one" | "bridge" | "ring" | "inbound" | "outbound" | "link";

/** When a prepared crash comes: the next time that this happens to a member. */
export type CrashMoment =
  | "snapshotArriving"
  | "writing"
  | "elected"
  | "truncating"
  | "compacting"
  | "changing";

/** Which node a fault meets, as `Target`: of those that run, `leader` is the one whose coordinator decides. */
export interface NodeTarget {
  readonly role: "leader" | "tracking" | "satellite" | "any";
  readonly pick: number;
}

/**
 * Which instance a fault meets: the `pick`-th of those that run then, of all, of exclusive services alone, or of those
 * whose `halond` is gone.
 */
export interface InstanceTarget {
  readonly of: "exclusive" | "orphan" | "any";
  readonly pick: number;
}

/** Faults of the profile `cluster` alone. `service` is a position in the settings, `times` a number of starts. */
export type ClusterFault = {
  readonly at: number;
} /** `halond` dies, and starts again after a while; OS processes live on. */ & (
  | { readonly type: "crashNode"; readonly node: NodeTarget; readonly forUs: number }
  /** The machine is gone, OS processes too; one that comes back has its disk. */
  | { readonly type: "loseMachine"; readonly node: NodeTarget; readonly forUs: number }
  /** The machine stops as a whole. */
  | { readonly type: "pauseNode"; readonly node: NodeTarget; readonly forUs: number }
  /** Many nodes die at once: so many of a thousand. */
  | { readonly type: "crashNodes"; readonly share: number; readonly forUs: number }
  | { readonly type: "crashCoordinator"; readonly node: NodeTarget }
  | { readonly type: "hangCoordinator"; readonly node: NodeTarget; readonly forUs: number }
  | { readonly type: "crashSupervisor"; readonly node: NodeTarget }
  | { readonly type: "jumpWall"; readonly node: NodeTarget; readonly byMs: number }
  /** Every turn of the node comes so much later. */
  | {
      readonly type: "slowNode";
      readonly node: NodeTarget;
      readonly byUs: number;
      readonly forUs: number;
    }
  /** A node is cut off in both directions, or heard by nobody, or hears nobody. */
  | {
      readonly type: "cutNode";
      readonly node: NodeTarget;
      readonly shape: "both" | "inbound" | "outbound";
      readonly forUs: number;
    }
  | { readonly type: "resetLinks"; readonly node: NodeTarget }
  | { readonly type: "crashService"; readonly instance: InstanceTarget; readonly code: number }
  | { readonly type: "hangService"; readonly instance: InstanceTarget }
  | { readonly type: "failCheck"; readonly instance: InstanceTarget; readonly forUs: number }
  | { readonly type: "trouble"; readonly instance: InstanceTarget }
  | { readonly type: "exitService"; readonly instance: InstanceTarget }
  | { readonly type: "leak"; readonly instance: InstanceTarget }
  | {
      readonly type: "slowStart" | "failStart" | "ignoreStop" | "fork" | "flap";
      readonly service: number;
      readonly times: number;
    }
);

/** What an operator of the profile `cluster` asks for. `service` is a position in the settings. */
export type Wish = {
  readonly at: number;
} /** `halonctl apply` with these services; with `prune` what is not named is removed. */ & (
  | { readonly type: "deploy"; readonly services: readonly number[]; readonly prune: boolean }
  /** Another `halonctl apply` with the code of the service changed. */
  | { readonly type: "upgrade"; readonly service: number }
  | { readonly type: "configure"; readonly service: number; readonly bad: boolean }
  | { readonly type: "startService" | "stopService" | "restartService"; readonly service: number }
  | { readonly type: "checkService" | "statusService"; readonly service: number }
  | { readonly type: "drain" | "resume" | "decommission"; readonly node: number }
  | { readonly type: "maintain"; readonly node: number; readonly on: boolean }
  | { readonly type: "resetBreaker" }
  /** All nodes are stopped and started again. */
  | { readonly type: "relaunch"; readonly forUs: number }
  /**
   * `halonctl agency member`: a member of its own is added and promoted, or the member of a tracking node or one that was
   * added is removed, the `pick`-th of those that can be missed; `replace` does one after the other.
   */
  | {
      readonly type: "changeMembers";
      readonly change: "add" | "remove" | "replace";
      readonly pick: number;
    }
);

/** One fault, or one wish of an operator. `at` and `forUs` in µs of virtual time. */
export type Fault = MemberFault | ClusterFault | Wish;

/** A fault or wish of members; of both profiles. */
export type MemberFault = { readonly at: number } & (
  | {
      readonly type: "crash";
      readonly target: Target;
      readonly forUs: number;
      readonly tail: CrashTail;
    }
  | { readonly type: "crashAll"; readonly forUs: number; readonly tail: CrashTail }
  | {
      readonly type: "crashWhen";
      readonly moment: CrashMoment;
      readonly forUs: number;
      readonly tail: CrashTail;
    }
  | { readonly type: "pause"; readonly target: Target; readonly forUs: number }
  | {
      readonly type: "cut";
      readonly shape: CutShape;
      readonly target: Target;
      readonly forUs: number;
    }
  | {
      readonly type: "slowLink";
      readonly target: Target;
      readonly factor: number;
      readonly forUs: number;
    }
  | { readonly type: "clog"; readonly target: Target; readonly forUs: number }
  | { readonly type: "reset"; readonly target: Target }
  | {
      readonly type: "slowDisk";
      readonly target: Target;
      readonly factor: number;
      readonly forUs: number;
    }
  | { readonly type: "fullDisk"; readonly target: Target; readonly forUs: number }
  | { readonly type: "flipBit"; readonly target: Target }
  | { readonly type: "load"; readonly target: Target; readonly timeoutMult: number }
  | { readonly type: "addLearner" }
  | { readonly type: "promote" }
  | { readonly type: "remove"; readonly target: Target }
  | { readonly type: "replace"; readonly target: Target }
  | { readonly type: "transfer"; readonly target: Target }
  /** Its host crashes, and the next one has its member step into a new term. */
  | { readonly type: "hostCrash"; readonly target: Target }
);

/** What a client asks for. Values are unique in a scenario; a `burst` is `count` writes to keys that nobody reads. */
export type ClientRequest = { readonly at: number; readonly client: number } & (
  | { readonly type: "write" | "cas"; readonly key: number; readonly value: number }
  | { readonly type: "read"; readonly key: number }
  | { readonly type: "burst"; readonly count: number; readonly value: number }
);

/** How the hosts of a run behave. */
export interface HostSettings {
  /** Between two turns of a host, on average; µs. */
  readonly gapUs: number;
  /** A host saves its state after so many slots. */
  readonly snapshotSlots: number;
  /** A slot has at most so many bytes, besides its head. */
  readonly dataBytes: number;
  /** Of what a snapshot covers, at most so many bytes of entries stay. */
  readonly keepBytes: number;
  /** A host asks in so many of a thousand turns whether its member leads. Absent: in none. */
  readonly questions?: number;
}

/** How nodes that do not know each other become a cluster (rfc/0007). Lists are by node; chances in a thousand. */
export interface BootstrapSettings {
  /** When each is started first; µs. */
  readonly startUs: readonly number[];
  /** Whom each is told to join; nobody: it is the master. */
  readonly join: readonly (readonly number[])[];
  /** The first of them are the tracking nodes, as with `--local`; else whoever comes first. */
  readonly byNumber: boolean;
  /** A setup is written so many times as slowly as other things. */
  readonly saveSlowness: number;
  /** Of requests and of answers: lost, there twice, ten times as long on their way. */
  readonly loss: number;
  readonly duplicate: number;
  readonly straggle: number;
}

/** The jobs of the profile `jobs`: how many begin, and when. */
export interface JobSettings {
  readonly count: number;
  /** Each begins at a random time from `fromUs` on, within `overUs`. */
  readonly fromUs: number;
  readonly overUs: number;
  /** How long a job stays in each of its states: one of these. */
  readonly waitsMs: readonly number[];
  /** So many of a thousand get the event that they wait for; the others wait until they go on without. */
  readonly arrivals: number;
}

/** What a cluster of the profile `cluster` is; its tracking nodes are the members. Node n has the name `node-<n + 1>`. */
export interface ClusterSettings {
  /** Nodes without a member. */
  readonly satellites: number;
  /** By node, `key=value`. */
  readonly labels: readonly (readonly string[])[];
  readonly services: readonly SimService[];
  /** What trips the breaker: so many nodes, and more than this share of all, in percent. */
  readonly breakerNodes: number;
  readonly breakerPercent: number;
  /** How the commands of the cluster file end. Absent: it has none. */
  readonly hooks?: {
    readonly recover?: "done" | "failed";
    readonly fence?: "done" | "failed";
  };
  /** Absent: the nodes know each other from the start. */
  readonly bootstrap?: BootstrapSettings;
  /** A turn of a node takes so long; µs. */
  readonly turnMinUs: number;
  readonly turnMaxUs: number;
  /** A member saves its coordinator's state with its snapshot, every so many records. */
  readonly snapshotRecords: number;
  /** Jobs of a rule file run. Absent: there is no rule file. */
  readonly jobs?: JobSettings;
}

/** What holds for the whole of a run. Times in µs, chances in a thousand. */
export interface Settings {
  /** What runs: registers over consensus alone, or the agency's replica. */
  readonly machine: "registers" | "agency";
  readonly members: number;
  /** Of the phase with faults; the rest follows until every request has ended. */
  readonly faultsUs: number;
  /** Messages of a link arrive in the order they were sent, as on a connection. */
  readonly ordered: boolean;
  readonly delayMinUs: number;
  readonly delayMaxUs: number;
  readonly loss: number;
  readonly duplicate: number;
  /** Of messages that take ten times as long. */
  readonly straggle: number;
  readonly corrupt: number;
  readonly diskMinUs: number;
  readonly diskMaxUs: number;
  /** How fast each member's clock runs, in a thousand; the first belongs to the first member. */
  readonly clockRates: readonly number[];
  /** A snapshot is taken after so many entries, and so many older entries are kept. */
  readonly compactEntries: number;
  readonly keepEntries: number;
  readonly snapshotChunkBytes: number;
  readonly appendBytesMax: number;
  readonly inflightMax: number;
  /** Reads rest on leases; nobody is paused then, as a lease counts on clocks that go on. Absent: they do not. */
  readonly leases?: boolean;
  /** Of the agency alone: each member keeps the log of a host. Absent: there are none. */
  readonly hosts?: HostSettings;
  /** Whole nodes run, on the agency's replicas. Absent: members alone. */
  readonly cluster?: ClusterSettings;
  readonly clients: number;
  readonly keys: number;
}

/** Whether members keep a log for somebody else: snapshots have what is that one's, too. */
export function hasHosts({ hosts, cluster }: Settings): boolean {
  return hosts !== undefined || cluster !== undefined;
}

/** All that a run depends on. Equal scenarios give equal runs, event by event. */
export interface Scenario {
  readonly format: 1;
  readonly seed: number;
  readonly settings: Settings;
  readonly faults: readonly Fault[];
  readonly requests: readonly ClientRequest[];
}
