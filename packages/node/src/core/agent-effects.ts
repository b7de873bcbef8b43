import type { CommandAction, InternalPart, InventoryInstance, JsonObject } from "@halon/protocol";
import type { Attached } from "./agent-messages.ts";
import type { NumberedNodeEvent } from "./event-queue.ts";
import type { Lease } from "./lease-renewals.ts";

/** What the agent reads of its node, at any moment; none of it changes anything. */
export interface AgentReads {
  /** Data of NodeJoined. */
  describe(): JsonObject;
  /** All instances that run, start or stop here, without those whose start the agent holds back; and the parts of Halon. */
  inventory(): {
    readonly instances: readonly InventoryInstance[];
    readonly parts: readonly InternalPart[];
  };
  /** Whether the file is on this node. */
  hasBlob(hash: string): boolean;
}

/** A deadline of the agent: when it tries to attach again. */
export type AgentDeadline = "attach";

/** What the driver of an agent has to do. */
export type AgentEffect =
  /** Ask the leader's tracker to take this node in, with a deadline of 2 s; ends as `attached` or `notAttached`. */
  | { readonly type: "attach"; readonly ref: number; readonly leader: string }
  /** Send these to the leader's tracker; when nothing can be sent there, `unsent`. */
  | {
      readonly type: "send";
      readonly leader: string;
      readonly events: readonly NumberedNodeEvent[];
    }
  /** A leader has taken this node in. */
  | { readonly type: "follow"; readonly answer: Attached }
  /** The node that was asked does not lead: look for the one that does. */
  | { readonly type: "refused" }
  /**
   * Carry it out: a hook, a program or webhook of a rule, what a part of Halon is asked for, or what a service is. What is told of it comes as events.
   * When it cannot be begun, `notBegun`.
   */
  | { readonly type: "perform"; readonly action: CommandAction; readonly command: string }
  /** Get these files onto this node; ends as `fetched` or `notFetched`. */
  | { readonly type: "fetch"; readonly ref: number; readonly hashes: readonly string[] }
  /** Get this lease, or give up after `timeoutMs`; ends as `granted` or `notGranted`. */
  | {
      readonly type: "acquire";
      readonly ref: number;
      readonly lease: Lease;
      readonly timeoutMs: number;
    }
  /** The lease is not wanted any more. */
  | { readonly type: "giveUp"; readonly instance: string }
  /** Ask for all leases at the end of this turn. */
  | { readonly type: "renewSoon" }
  /** Every event has taken effect. */
  | { readonly type: "flushed" }
  /** Give `due` with the key after so long; what was armed under the key is disarmed. */
  | { readonly type: "arm"; readonly key: AgentDeadline; readonly inMs: number }
  | { readonly type: "disarm"; readonly key: AgentDeadline }
  /** For people: too many events wait for a leader, and this one is lost. */
  | { readonly type: "dropped"; readonly event: string }
  /** For people. */
  | {
      readonly type: "commandRefused";
      readonly command: string;
      readonly code: string;
      readonly reason: string;
    };
