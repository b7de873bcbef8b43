import type { CoordinatorState } from "@halon/coordinator/core";
import type { CommandVerdict, NumberedNodeEvent, Setup } from "@halon/node/core";
import type {
  ClusterConfig,
  Command,
  DecisionRecord,
  HelloRequest,
  JsonObject,
} from "@halon/protocol";
import type { World } from "../world.ts";
import type { ProcessEnd, SimProcess } from "./services.ts";
import type { SimNode } from "./world.ts";

/** What the layer tells the rules of the cluster, at the moment at which it happens. */
export type Happening =
  /** `halond` runs. */
  | { readonly type: "nodeStarted"; readonly node: SimNode }
  /** `halond` has ended; with `isMachine` the machine has, and all processes on it. */
  | { readonly type: "nodeEnded"; readonly node: SimNode; readonly isMachine: boolean }
  /** A coordinator follows, from this state on; it is the coordinator's own: read it at once. */
  | {
      readonly type: "following";
      readonly node: SimNode;
      readonly state: CoordinatorState;
    }
  | {
      readonly type: "leading";
      readonly node: SimNode;
      readonly epoch: number;
      readonly index: number;
    }
  /** The coordinator of the node has ended; `epoch`: under which it led, 0 when it did not. */
  | {
      readonly type: "coordinatorEnded";
      readonly node: SimNode;
      readonly epoch: number;
      readonly reason: string;
    }
  /** The leader asks for a record to be appended. */
  | {
      readonly type: "appending";
      readonly node: SimNode;
      readonly index: number;
      readonly epoch: number;
      readonly data: Uint8Array;
    }
  /** A record that the coordinator of the node decided is durable; the state may hold more already. */
  | {
      readonly type: "committed";
      readonly node: SimNode;
      readonly record: DecisionRecord;
      readonly state: CoordinatorState;
    }
  /** A standby has folded a record. */
  | {
      readonly type: "folded";
      readonly node: SimNode;
      readonly record: DecisionRecord;
      readonly state: CoordinatorState;
    }
  /** What became of an append is not known to the coordinator. */
  | { readonly type: "unknownOutcome"; readonly node: SimNode; readonly index: number }
  /** The leader sends these, for the first time or again. */
  | {
      readonly type: "commandsSent";
      readonly node: SimNode;
      readonly epoch: number;
      readonly commands: readonly Command[];
    }
  /** A command has come to its node. */
  | {
      readonly type: "commandTaken";
      readonly node: SimNode;
      readonly command: Command;
      readonly verdict: CommandVerdict["type"];
    }
  /** A node tells of something: it waits for its number. */
  | {
      readonly type: "emitted";
      readonly node: SimNode;
      readonly event: { readonly type: string; readonly data: JsonObject };
    }
  /** A node sends numbered events, for the first time or again. */
  | {
      readonly type: "eventsSent";
      readonly node: SimNode;
      readonly events: readonly NumberedNodeEvent[];
    }
  /** The leader tells a source that all up to `sequence` has taken effect. */
  | {
      readonly type: "acknowledged";
      readonly node: SimNode;
      readonly source: string;
      readonly incarnation: number;
      readonly sequence: number;
    }
  /** The leader has taken a node in. */
  | {
      readonly type: "attached";
      readonly leader: SimNode;
      readonly node: string;
      readonly incarnation: number;
    }
  /** What the leader concludes of a node. */
  | {
      readonly type: "observed";
      readonly leader: SimNode;
      readonly observation: "NodeSuspected" | "NodeTrusted" | "NodeLost";
      readonly node: string;
      readonly incarnation: number;
      readonly reason: string;
    }
  /** Leases that the leader's coordinator granted. */
  | {
      readonly type: "granted";
      readonly leader: SimNode;
      readonly to: string;
      readonly instances: readonly string[];
    }
  /** The node counts a lease until then, by its own clock. */
  | {
      readonly type: "leaseRenewed";
      readonly node: SimNode;
      readonly instance: string;
      readonly untilMs: number;
    }
  /** Code or a process of an instance runs from now on. */
  | { readonly type: "launched"; readonly node: SimNode; readonly process: SimProcess }
  /** Nothing of it runs any more. */
  | {
      readonly type: "ended";
      readonly node: SimNode;
      readonly process: SimProcess;
      readonly end: ProcessEnd;
    }
  /** A `halond` has taken over a process of the one before. */
  | { readonly type: "adopted"; readonly node: SimNode; readonly instance: string }
  /** A start of `halond` has read its disk; null: there was no setup. */
  | { readonly type: "setupFound"; readonly node: SimNode; readonly setup: Setup | null }
  /** It begins to write its setup. */
  | { readonly type: "setupSaving"; readonly node: SimNode; readonly setup: Setup }
  /** What it wrote is durable. */
  | { readonly type: "setupSaved"; readonly node: SimNode; readonly setup: Setup }
  /** A person has emptied the data directory. */
  | { readonly type: "setupLost"; readonly node: SimNode }
  /** A node tells another, which said hello, of what the cluster is made. */
  | {
      readonly type: "helloAnswered";
      readonly node: SimNode;
      readonly to: HelloRequest;
      readonly config: ClusterConfig;
    }
  /** `halond` has ended with a message, and does not start again by itself. */
  | {
      readonly type: "startRefused";
      readonly node: SimNode;
      readonly code: string;
      readonly message: string;
    }
  /** The replica of the node has this record. */
  | { readonly type: "replicated"; readonly node: SimNode; readonly index: number };

export type HappeningType = Happening["type"];

/** The rules of a run, as the layer tells them what happens. */
export interface ClusterRules {
  saw(world: World, what: Happening): void;
  /** After the healing: what is still missing, or null. */
  missing(world: World): string | null;
  /** The run is over: all is healed and nothing is missing. */
  atEnd(world: World): void;
}

/** Of a run whose rules are those of members alone. */
export const noRules: ClusterRules = {
  saw: () => undefined,
  missing: () => null,
  atEnd: () => undefined,
};
