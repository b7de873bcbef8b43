import type {
  Command,
  CommandAction,
  DataOf,
  events,
  InventoryInstance,
  JsonObject,
} from "@halon/protocol";
import type { AgentDeadline, AgentEffect, AgentReads } from "./agent-effects.ts";
import type { Attached, Refusal } from "./agent-messages.ts";
import { CommandIntake } from "./command-intake.ts";
import { EventQueue, type NodeEvent, type NumberedNodeEvent } from "./event-queue.ts";

/** The driver gives `tick` so often, in ms. */
export const agentTickMs = 1_000;

const attachRetryMs = 100;
/** Events that are not acknowledged by then are sent again. */
const resendMs = 2_000;

type StartAction = Extract<CommandAction, { type: "StartService" }>;

/** A start that waits for its files or its lease, and the commands that asked for it. */
interface HeldStart {
  readonly action: StartAction;
  readonly commands: string[];
}

/**
 * Decides what a node's agent does: when it attaches, which events it sends again, which commands it begins, and what a
 * start waits for.
 *
 * One for each start of a node. The driver carries effects out in the order in which they are given, those of an input that
 * comes meanwhile after them. `now` is of one monotonic clock, in ms.
 */
export class AgentCore {
  readonly #name: string;
  readonly #incarnation: number;
  readonly #reads: AgentReads;
  readonly #queue = new EventQueue();
  readonly #intake = new CommandIntake();
  /** By the number under which they wait. */
  readonly #held = new Map<number, HeldStart>();
  #lastRef = 0;
  #leader: string | undefined;
  #isAttached = false;
  #attaching: { readonly ref: number; readonly leader: string } | undefined;
  #isRetryArmed = false;
  #isLeaving = false;
  #isClosed = false;
  #sentAt = 0;

  constructor(node: { readonly name: string; readonly incarnation: number }, reads: AgentReads) {
    this.#name = node.name;
    this.#incarnation = node.incarnation;
    this.#reads = reads;
  }

  /** Name of the node whose coordinator has taken this one in and can be reached. */
  get leader(): string | undefined {
    return this.#isAttached ? this.#leader : undefined;
  }

  /** Events that have not taken effect. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** The node that leads can be reached: it is this one, or a link to it is up. */
  connected(leader: string): readonly AgentEffect[] {
    this.#leader = leader;
    this.#isAttached = false;
    return this.#attach();
  }

  /** The link to the leader is down, or another node leads. */
  disconnected(): readonly AgentEffect[] {
    this.#leader = undefined;
    this.#isAttached = false;
    return this.#disarm();
  }

  /** The leader has taken this node in. */
  attached(ref: number, answer: Attached, now: number): readonly AgentEffect[] {
    if (this.#attaching?.ref !== ref) return [];
    const { leader } = this.#attaching;
    this.#attaching = undefined;
    const isTaken = leader === this.#leader && this.#intake.follow(answer.epoch);
    return isTaken ? this.#resume(answer, now) : this.#attachLater();
  }

  /** It refused, or did not answer. */
  notAttached(ref: number, { code }: Refusal): readonly AgentEffect[] {
    if (this.#attaching?.ref !== ref) return [];
    this.#attaching = undefined;
    const later = this.#attachLater();
    return code === "HAL_NO_LEADER" ? [{ type: "refused" }, ...later] : later;
  }

  /** Something has happened on this node. */
  emit(event: NodeEvent, now: number): readonly AgentEffect[] {
    if (!this.#queue.add(event)) return [{ type: "dropped", event: event.type }];
    return this.#isAttached ? this.#send(this.#queue.number(), now) : [];
  }

  /** Events could not be sent: the link to the leader is gone, and nobody has said so yet. */
  unsent(): readonly AgentEffect[] {
    this.#isAttached = false;
    return this.#attach();
  }

  /** The node stops: it begins nothing more, and says that it leaves. */
  leave(now: number): readonly AgentEffect[] {
    this.#intake.stop();
    this.#isLeaving = true;
    return this.#report("NodeLeft", { node: this.#name, incarnation: this.#incarnation }, now);
  }

  /**
   * A command from the leader for the start of the node with this incarnation; several of one message one after another. What
   * was for an earlier start may have been answered by it: the leader sends what still holds when it takes this one in.
   */
  command(command: Command, incarnation: number | undefined, now: number): readonly AgentEffect[] {
    if (incarnation !== undefined && incarnation !== this.#incarnation) return [];
    const { id, action } = command;
    const verdict = this.#intake.take(command);
    switch (verdict.type) {
      case "known":
        return [];
      case "stale":
        return [
          { type: "commandRefused", command: id, code: verdict.code, reason: verdict.reason },
        ];
      case "refuse":
        return this.#refuse(id, verdict, now);
      case "begin":
        return this.#begin(action, id, now);
    }
  }

  /** The leader says that all events up to there have taken effect. */
  acknowledged(sequence: number): readonly AgentEffect[] {
    this.#queue.acknowledge(sequence);
    return this.#queue.size === 0 ? [{ type: "flushed" }] : [];
  }

  /** The leader says that it lacks events from there on. */
  gap(expected: number, now: number): readonly AgentEffect[] {
    return this.#isAttached ? this.#send([...this.#queue.resume(expected - 1)], now) : [];
  }

  /** The leader asks the node to attach again. */
  detached(): readonly AgentEffect[] {
    this.#isAttached = false;
    return this.#attach();
  }

  /** What `perform` asked for was refused before it began. */
  notBegun(command: string, { code, message }: Refusal, now: number): readonly AgentEffect[] {
    return this.#refuse(command, { code, reason: message }, now);
  }

  /** All files are here. */
  fetched(ref: number): readonly AgentEffect[] {
    const held = this.#held.get(ref);
    if (held === undefined) return [];
    const { instance, lease, manifest } = held.action;
    if (lease === undefined) return this.#start(ref, held);
    return [
      {
        type: "acquire",
        ref,
        lease: { instance, ...lease },
        timeoutMs: manifest.startTimeoutMs,
      },
    ];
  }

  notFetched(ref: number, message: string, now: number): readonly AgentEffect[] {
    const reason = `its code cannot be fetched: ${message}`;
    return this.#couldNotStart(ref, { code: "HAL_BLOB_MISSING", reason }, now);
  }

  /** The site has the lease. */
  granted(ref: number): readonly AgentEffect[] {
    const held = this.#held.get(ref);
    return held === undefined ? [] : this.#start(ref, held);
  }

  notGranted(ref: number, { code, message }: Refusal, now: number): readonly AgentEffect[] {
    return this.#couldNotStart(ref, { code, reason: message }, now);
  }

  due(_key: AgentDeadline, _now: number): readonly AgentEffect[] {
    this.#isRetryArmed = false;
    return this.#attach();
  }

  tick(now: number): readonly AgentEffect[] {
    const late = this.#queue.unacknowledged;
    if (!this.#isAttached || late.length === 0 || now - this.#sentAt < resendMs) return [];
    return this.#send([...late], now);
  }

  /** Attaches nowhere any more. */
  close(): readonly AgentEffect[] {
    this.#isClosed = true;
    return this.#disarm();
  }

  #attach(): readonly AgentEffect[] {
    const leader = this.#leader;
    if (this.#attaching !== undefined || this.#isClosed) return [];
    if (leader === undefined) return this.#disarm();
    this.#lastRef += 1;
    this.#attaching = { ref: this.#lastRef, leader };
    return [...this.#disarm(), { type: "attach", ref: this.#lastRef, leader }];
  }

  #attachLater(): readonly AgentEffect[] {
    if (this.#isAttached || this.#leader === undefined || this.#isClosed) return [];
    this.#isRetryArmed = true;
    return [{ type: "arm", key: "attach", inMs: attachRetryMs }];
  }

  #disarm(): readonly AgentEffect[] {
    if (!this.#isRetryArmed) return [];
    this.#isRetryArmed = false;
    return [{ type: "disarm", key: "attach" }];
  }

  /** Everything from before comes first, then who this is and what runs here, as of this very moment. */
  #resume(answer: Attached, now: number): readonly AgentEffect[] {
    this.#isAttached = true;
    this.#queue.number();
    this.#queue.resume(answer.sequence);
    // Not after it has said that it leaves: it would be waited for, and count as lost.
    const dropped = this.#isLeaving ? [] : this.#addPresence();
    this.#queue.number();
    const unacknowledged = [...this.#queue.unacknowledged];
    return [
      { type: "follow", answer },
      ...dropped,
      ...this.#send(unacknowledged, now),
      { type: "renewSoon" },
    ];
  }

  #addPresence(): readonly AgentEffect[] {
    const inventory = JSON.parse(JSON.stringify(this.#inventory())) as JsonObject;
    return (
      [
        ["NodeJoined", this.#reads.describe()],
        ["NodeInventory", inventory],
      ] as const
    ).flatMap(([type, data]): readonly AgentEffect[] => {
      const isAdded = this.#queue.add({ type, version: 1, data });
      this.#queue.number();
      return isAdded ? [] : [{ type: "dropped", event: type }];
    });
  }

  #inventory(): DataOf<typeof events.NodeInventory> {
    const held = [...this.#held.values()].map(
      ({ action: { instance, service, manifest } }): InventoryInstance => ({
        instance,
        service,
        type: manifest.name,
        version: manifest.version,
        state: "starting",
        health: "unknown",
      }),
    );
    const { instances, parts } = this.#reads.inventory();
    return {
      node: this.#name,
      lastCommand: this.#intake.last,
      instances: [...instances, ...held],
      parts: [...parts],
    };
  }

  #send(events: readonly NumberedNodeEvent[], now: number): readonly AgentEffect[] {
    if (events.length === 0 || this.#leader === undefined) return [];
    this.#sentAt = now;
    return [{ type: "send", leader: this.#leader, events }];
  }

  #report(type: string, data: JsonObject, now: number): readonly AgentEffect[] {
    return this.emit({ type, version: 1, data }, now);
  }

  #refuse(
    command: string,
    { code, reason }: { readonly code: string; readonly reason: string },
    now: number,
  ): readonly AgentEffect[] {
    return [
      { type: "commandRefused", command, code, reason },
      ...this.#report("CommandRefused", { node: this.#name, command, code, reason }, now),
    ];
  }

  #begin(action: CommandAction, command: string, now: number): readonly AgentEffect[] {
    if (action.type === "StopService") {
      const { service, instance } = action;
      const ref = this.#refOf(instance);
      if (ref !== undefined) {
        this.#held.delete(ref);
        return [
          { type: "giveUp", instance },
          ...this.#report("ServiceStopped", { node: this.#name, service, instance, command }, now),
        ];
      }
    }
    if (action.type === "StartService") {
      const { blob, files } = action.manifest;
      const missing = [blob, ...files].filter((hash) => !this.#reads.hasBlob(hash));
      if (missing.length > 0 || action.lease !== undefined)
        return this.#hold(action, command, missing);
    }
    return [{ type: "perform", action, command }];
  }

  /** Nothing of it runs before its code is here and, of an exclusive one, its lease is granted. */
  #hold(action: StartAction, command: string, missing: readonly string[]): readonly AgentEffect[] {
    const before = this.#held.get(this.#refOf(action.instance) ?? 0);
    if (before !== undefined) {
      before.commands.push(command);
      return [];
    }
    this.#lastRef += 1;
    const ref = this.#lastRef;
    this.#held.set(ref, { action, commands: [command] });
    return missing.length > 0 ? [{ type: "fetch", ref, hashes: missing }] : this.fetched(ref);
  }

  #start(ref: number, { action, commands }: HeldStart): readonly AgentEffect[] {
    this.#held.delete(ref);
    return commands.map((command) => ({ type: "perform", action, command }));
  }

  #couldNotStart(
    ref: number,
    why: { readonly code: string; readonly reason: string },
    now: number,
  ): readonly AgentEffect[] {
    const held = this.#held.get(ref);
    if (held === undefined) return [];
    this.#held.delete(ref);
    const { service, instance } = held.action;
    const about = { node: this.#name, service, instance };
    return held.commands.flatMap((command) =>
      this.#report("ServiceCouldNotStart", { ...about, command, ...why }, now),
    );
  }

  #refOf(instance: string): number | undefined {
    for (const [ref, { action }] of this.#held) if (action.instance === instance) return ref;
    return undefined;
  }
}
