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

/** One fault, or one wish of an operator. `at` and `forUs` in µs of virtual time. */
export type Fault = { readonly at: number } & (
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
  readonly clients: number;
  readonly keys: number;
}

/** All that a run depends on. Equal scenarios give equal runs, event by event. */
export interface Scenario {
  readonly format: 1;
  readonly seed: number;
  readonly settings: Settings;
  readonly faults: readonly Fault[];
  readonly requests: readonly ClientRequest[];
}
