import type {
  Command,
  CommandAction,
  InternalPart,
  InventoryInstance,
  JsonObject,
} from "@halon/protocol";
import type { Attached, Refusal } from "./agent-messages.ts";
import type { NodeEvent, NumberedNodeEvent } from "./event-queue.ts";
import type { Lease } from "./lease-renewals.ts";

/** The driver gives `tick` so often, in ms. */
export const agentTickMs = 1_000;

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
   * Carry it out: a hook, what a part of Halon is asked for, or what a service is. What is told of it comes as events.
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

/**
 * Decides what a node's agent does: when it attaches, which events it sends again, which commands it begins, and what a
 * start waits for.
 *
 * One for each start of a node. The driver carries effects out in the order in which they are given, those of an input that
 * comes meanwhile after them. `now` is of one monotonic clock, in ms.
 */
export class AgentCore {
  constructor(node: { readonly name: string; readonly incarnation: number }, reads: AgentReads) {
    throw new Error(`not yet: ${node.name} ${reads}`);
  }

  /** Name of the node whose coordinator has taken this one in and can be reached. */
  get leader(): string | undefined {
    throw new Error("not yet");
  }

  /** Events that have not taken effect. */
  get waiting(): number {
    throw new Error("not yet");
  }

  /** The node that leads can be reached: it is this one, or a link to it is up. */
  connected(_leader: string): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** The link to the leader is down, or another node leads. */
  disconnected(): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** The leader has taken this node in. */
  attached(_ref: number, _answer: Attached, _now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** It refused, or did not answer. */
  notAttached(_ref: number, _refusal: Refusal): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** Something has happened on this node. */
  emit(_event: NodeEvent, _now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** Events could not be sent: the link to the leader is gone, and nobody has said so yet. */
  unsent(): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** The node stops: it begins nothing more, and says that it leaves. */
  leave(_now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** A command from the leader; several of one message one after another. */
  command(_command: Command, _now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** The leader says that all events up to there have taken effect. */
  acknowledged(_sequence: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** The leader says that it lacks events from there on. */
  gap(_expected: number, _now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** The leader asks the node to attach again. */
  detached(): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** What `perform` asked for was refused before it began. */
  notBegun(_command: string, _refusal: Refusal, _now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** All files are here. */
  fetched(_ref: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  notFetched(_ref: number, _message: string, _now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** The site has the lease. */
  granted(_ref: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  notGranted(_ref: number, _refusal: Refusal, _now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  due(_key: AgentDeadline, _now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  tick(_now: number): readonly AgentEffect[] {
    throw new Error("not yet");
  }

  /** Attaches nowhere any more. */
  close(): readonly AgentEffect[] {
    throw new Error("not yet");
  }
}
