import type { ActorSystem } from "@halon/actor";
import { traceFailures, traceStarts } from "@halon/coordinator";
import { type JsonObject, toErrorData } from "@halon/protocol";
import type { Runtime } from "@halon/service/host";
import type { Logger } from "pino";
import type { BlobKeeper } from "./blob-keeper.ts";
import {
  AgentCore,
  type AgentEffect,
  type Attached,
  agentTickMs,
  type ToAgent,
} from "./core/index.ts";
import type { PublishedEvent } from "./core/processor-messages.ts";
import type { Effects } from "./effects.ts";
import { LeaseRenewer } from "./lease-renewer.ts";
import { agentName, trackerName } from "./messages.ts";
import type { Internals } from "./supervisor/internals.ts";

const attachTimeoutMs = 2_000;

export interface AgentOptions {
  readonly name: string;
  readonly incarnation: number;
  readonly system: ActorSystem;
  readonly runtime: Pick<Runtime, "perform" | "inventory" | "leased" | "renew">;
  readonly blobs: Pick<BlobKeeper, "has" | "fetch">;
  readonly log: Logger;
  /** The parts of Halon itself. */
  readonly internals: () => Pick<Internals, "inventory" | "perform"> | undefined;
  readonly effects: Pick<Effects, "perform">;
  /** Data of NodeJoined. */
  describe(): JsonObject;
  /** Called with every answer to an attach. */
  attached(answer: Attached): void;
  /** The node that it is linked to does not lead. */
  refused(): void;
  /** A delta of the graph for this node's replica. */
  delta(delta: Extract<ToAgent, { type: "delta" }>["delta"]): void;
  /** The leader's last record. */
  heard(index: number): void;
}

type EffectOf<T extends AgentEffect["type"]> = Extract<AgentEffect, { type: T }>;

/** Carries out commands and reports events, as its core decides; one for each node. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #core: AgentCore;
  readonly #leases: LeaseRenewer;
  readonly #ticks: NodeJS.Timeout;
  readonly #waitingForEmpty: (() => void)[] = [];
  /** What is to be carried out, in order; inputs that come meanwhile add to it. */
  readonly #effects: AgentEffect[] = [];
  #isRunning = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    const { name, incarnation, system, runtime, blobs, log } = options;
    this.#core = new AgentCore(
      { name, incarnation },
      {
        describe: () => options.describe(),
        inventory: () => ({
          instances: runtime.inventory(),
          parts: options.internals()?.inventory() ?? [],
        }),
        hasBlob: (hash) => blobs.has(hash),
      },
    );
    this.#leases = new LeaseRenewer({ name, system, runtime, log, leader: () => this.leader });
    this.#ticks = setInterval(() => this.#run(this.#core.tick(performance.now())), agentTickMs);
    system.spawn(
      () => ({
        receive: (message) => {
          this.#receive(message as ToAgent);
        },
      }),
      { name: agentName, mailboxMax: 100_000 },
    );
  }

  /** Name of the node whose coordinator has taken this one in and can be reached. */
  get leader(): string | undefined {
    return this.#core.leader;
  }

  /** The node that leads can be reached. */
  connected(leader: string): void {
    this.#run(this.#core.connected(leader));
  }

  disconnected(): void {
    this.#run(this.#core.disconnected());
  }

  /** Takes an event of this node; it is sent at once when the coordinator can be reached. */
  emit(type: string, data: unknown): void {
    const event = { type, version: 1, data: JSON.parse(JSON.stringify(data)) as JsonObject };
    this.#run(this.#core.emit(event, performance.now()));
  }

  /** Takes an event that a rule on this node has published. */
  publish({ rule, type, version, data }: PublishedEvent): void {
    const event = { type, version, data: data as JsonObject, by: rule };
    this.#run(this.#core.emit(event, performance.now()));
  }

  /** Events that have not taken effect. */
  get waiting(): number {
    return this.#core.waiting;
  }

  /** Refuses further commands, says that the node leaves, and waits until that has taken effect. */
  async leave(deadlineMs: number): Promise<void> {
    this.#run(this.#core.leave(performance.now()));
    await this.flushed(deadlineMs);
  }

  /** Resolves when every event has taken effect, or at the deadline. */
  flushed(deadlineMs: number): Promise<void> {
    if (this.#core.waiting === 0 || this.leader === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const late = setTimeout(resolve, deadlineMs);
      this.#waitingForEmpty.push(() => {
        clearTimeout(late);
        resolve();
      });
    });
  }

  close(): void {
    this.#leases.close();
    clearInterval(this.#ticks);
    this.#run(this.#core.close());
  }

  #receive(message: ToAgent): void {
    switch (message.type) {
      case "commands":
        traceStarts("command", message.commands);
        for (const command of message.commands)
          this.#run(this.#core.command(command, message.incarnation, performance.now()));
        return;
      case "ack":
        this.#run(this.#core.acknowledged(message.sequence));
        return;
      case "gap":
        this.#run(this.#core.gap(message.expected, performance.now()));
        return;
      case "delta":
        this.#options.delta(message.delta);
        return;
      case "heard":
        this.#options.heard(message.index);
        return;
      case "detached":
        this.#run(this.#core.detached());
        return;
    }
  }

  /** Events leave in the order of their numbers, also those that come of carrying out an effect. */
  #run(effects: readonly AgentEffect[]): void {
    this.#effects.push(...effects);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#effects.shift(); next !== undefined; next = this.#effects.shift())
        this.#perform(next);
    } finally {
      this.#isRunning = false;
    }
  }

  #perform(effect: AgentEffect): void {
    const { log } = this.#options;
    switch (effect.type) {
      case "attach":
        void this.#attach(effect);
        return;
      case "send":
        this.#send(effect);
        return;
      case "follow":
        this.#options.attached(effect.answer);
        return;
      case "refused":
        this.#options.refused();
        return;
      case "perform":
        this.#begin(effect);
        return;
      case "fetch":
        void this.#fetch(effect);
        return;
      case "acquire":
        void this.#acquire(effect);
        return;
      case "giveUp":
        this.#leases.giveUp(effect.instance);
        return;
      case "renewSoon":
        this.#leases.renewSoon();
        return;
      case "flushed":
        for (const done of this.#waitingForEmpty.splice(0)) done();
        return;
      case "arm": {
        const { key, inMs } = effect;
        clearTimeout(this.#retry);
        const due = (): void => this.#run(this.#core.due(key, performance.now()));
        this.#retry = setTimeout(due, inMs);
        return;
      }
      case "disarm":
        clearTimeout(this.#retry);
        return;
      case "dropped":
        log.error({ type: effect.event }, "an event was dropped: too many wait for a leader");
        return;
      case "commandRefused": {
        const { command, code, reason } = effect;
        log.warn({ command, code, reason }, "refused a command");
        return;
      }
    }
  }

  async #attach({ ref, leader }: EffectOf<"attach">): Promise<void> {
    const { system, name, incarnation, log } = this.#options;
    try {
      const answer = await system.call<Attached>(
        { name: trackerName, node: leader },
        { type: "attach", node: name, incarnation },
        { timeoutMs: attachTimeoutMs },
      );
      this.#run(this.#core.attached(ref, answer, performance.now()));
    } catch (error) {
      const refusal = toErrorData(error);
      log.debug({ reason: refusal.message }, "could not attach, trying again");
      this.#run(this.#core.notAttached(ref, refusal));
    }
  }

  #send({ leader, events }: EffectOf<"send">): void {
    traceFailures("sent", events);
    const { system, name, incarnation } = this.#options;
    const isSent = system.send(
      { name: trackerName, node: leader },
      { type: "events", node: name, incarnation, events },
    );
    if (!isSent) this.#run(this.#core.unsent());
  }

  #begin({ action, command }: EffectOf<"perform">): void {
    const { effects, internals, runtime } = this.#options;
    try {
      if (effects.perform(action, command)) return;
      if (internals()?.perform(action, command) !== true) runtime.perform(action, command);
    } catch (error) {
      this.#run(this.#core.notBegun(command, toErrorData(error), performance.now()));
    }
  }

  async #fetch({ ref, hashes }: EffectOf<"fetch">): Promise<void> {
    try {
      for (const hash of hashes) await this.#options.blobs.fetch(hash);
    } catch (error) {
      this.#run(this.#core.notFetched(ref, toErrorData(error).message, performance.now()));
      return;
    }
    this.#run(this.#core.fetched(ref));
  }

  async #acquire({ ref, lease, timeoutMs }: EffectOf<"acquire">): Promise<void> {
    try {
      await this.#leases.acquire(lease, timeoutMs);
    } catch (error) {
      this.#run(this.#core.notGranted(ref, toErrorData(error), performance.now()));
      return;
    }
    this.#run(this.#core.granted(ref));
  }
}
