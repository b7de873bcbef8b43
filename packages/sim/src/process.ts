import type { AppendAnswer, HostSnapshotRefusal } from "@halon/agency/core";
import type {
  Configuration,
  Effect,
  Found,
  Input,
  MemberChange,
  MemberId,
  Message,
  RaftOptions,
  RaftState,
  SnapshotMeta,
} from "@halon/raft";
import type { StoreInput } from "./cluster/member-process.ts";
import type { StoredSnapshot } from "./disk.ts";
import type { HostAppend, HostView } from "./host.ts";
import type { LeadQuestion } from "./host-questions.ts";
import type { HostSettings } from "./scenario.ts";

/** What clients and operators ask of a member. */
export type SimRequest =
  | {
      readonly type: "write";
      readonly key: number;
      readonly value: number;
      readonly clientId: string;
    }
  | {
      readonly type: "cas";
      readonly key: number;
      readonly expected: number | null;
      readonly value: number;
      readonly clientId: string;
    }
  | { readonly type: "read"; readonly key: number }
  /** Whether a write with this client id took place: a value above 0 says so. */
  | { readonly type: "inquire"; readonly clientId: string }
  | { readonly type: "changeMembers"; readonly change: MemberChange }
  | { readonly type: "transfer"; readonly to: MemberId };

/** What comes of a request. `unknown`: it may take place yet; of all but `ok` and `unknown` nothing took place. */
export type SimAnswer =
  | { readonly type: "ok"; readonly value: number | null }
  | { readonly type: "failed" }
  | { readonly type: "notLeader"; readonly leaderId: MemberId }
  | { readonly type: "noLeader" }
  | { readonly type: "busy" }
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "unknown" };

/** What happens to a member's process. `ms` is the member's own monotonic clock. */
export type ProcessInput =
  | { readonly type: "tick"; readonly ms: number }
  | { readonly type: "receive"; readonly message: Message }
  | { readonly type: "request"; readonly id: number; readonly request: SimRequest }
  | { readonly type: "flush"; readonly ms: number }
  | { readonly type: "persisted"; readonly ticket: number }
  | { readonly type: "apply" }
  | { readonly type: "snapshotSaved"; readonly snapshot: StoredSnapshot }
  /** The host's state did not come. */
  | { readonly type: "snapshotFailed"; readonly snapshot: StoredSnapshot }
  | { readonly type: "snapshotInstalled"; readonly snapshot: StoredSnapshot }
  /** The host does what it wants to do; `nonce` comes once in a run. */
  | { readonly type: "hostTurn"; readonly nonce: number; readonly isHealing: boolean }
  /** The coordinator of this node wants something of its member. */
  | { readonly type: "store"; readonly input: StoreInput }
  /** The host has ended, and the next one fences it. */
  | { readonly type: "campaign" }
  | { readonly type: "peerLost"; readonly peer: MemberId }
  | { readonly type: "stepDown" }
  | { readonly type: "load"; readonly timeoutMult: number };

/** What a member's process asks of the simulator, in order. */
export type ProcessEffect =
  | Extract<
      Effect,
      {
        readonly type:
          | "send"
          | "persist"
          | "sendSnapshot"
          | "receiveSnapshot"
          | "installSnapshot"
          | "removed";
      }
    >
  | { readonly type: "answer"; readonly id: number; readonly answer: SimAnswer }
  | { readonly type: "applyMore" }
  /** `fails`: the host's state will not come. */
  | { readonly type: "takeSnapshot"; readonly snapshot: StoredSnapshot; readonly fails: boolean }
  /** The host asks for a slot; `isOpen`: its member leads in that epoch and takes slots. */
  | { readonly type: "hostAppend"; readonly append: HostAppend; readonly isOpen: boolean }
  | { readonly type: "hostAppended"; readonly append: HostAppend; readonly answer: AppendAnswer }
  /** The host asks whether its member leads. */
  | { readonly type: "hostAsks"; readonly question: LeadQuestion }
  | { readonly type: "hostAnswered"; readonly question: LeadQuestion; readonly leads: boolean }
  | { readonly type: "hostSnapshotDone"; readonly refusal: HostSnapshotRefusal | null }
  | { readonly type: "compactLog"; readonly firstIndex: number }
  | { readonly type: "notify" };

/** The code under test, in one incarnation of one member. Deterministic; owned and driven by the simulator. */
export interface Process {
  readonly raft: RaftState;
  readonly appliedIndex: number;
  /** Null: it keeps no log for one. */
  readonly host: HostView | null;
  step(input: ProcessInput): readonly ProcessEffect[];
  /** The applied state as canonical bytes: equal states give equal bytes. */
  stateBytes(): Uint8Array;
  /** Requests that wait for their answer. */
  readonly waitingCount: number;
}

/** What a process starts from. */
export interface ProcessStart {
  readonly id: MemberId;
  readonly raft: RaftOptions;
  readonly seed: number;
  /** Null: a first start. */
  readonly found: Found | null;
  /** Of a first start: who takes part; empty for one that waits to be added. */
  readonly configuration: Configuration;
  /** Bytes of the snapshot of `found`; empty when there is none. */
  readonly snapshotBytes: Uint8Array;
  readonly compactEntries: number;
  readonly keepEntries: number;
  readonly agencySize: number;
  /** Null: no member has a host. */
  readonly hosts: HostSettings | null;
}

/** Raft's step, or one with a planted bug around it. */
export type StepFunction = (
  state: RaftState,
  input: Input,
) => readonly [RaftState, readonly Effect[]];

/** A snapshot of nothing, at index 0. */
export function emptySnapshot(configuration: Configuration): StoredSnapshot {
  const meta: SnapshotMeta = { index: 0, term: 0, configuration };
  return { meta, bytes: new Uint8Array(0) };
}
