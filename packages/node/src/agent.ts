import type { ActorSystem } from "@halon/actor";
import { traceFailures, traceStarts } from "@halon/coordinator";
import {
  type Command,
  type CommandAction,
  type DataOf,
  type events,
  HalonError,
  type InventoryInstance,
  type JsonObject,
  toErrorData,
} from "@halon/protocol";
import type { Runtime } from "@halon/service/host";
import type { Logger } from "pino";
import type { BlobKeeper } from "./blob-keeper.ts";
import { CommandIntake, EventQueue } from "./core/index.ts";
import type { Hooks } from "./hooks.ts";
import { LeaseRenewer } from "./lease-renewer.ts";
import { type Attached, agentName, type ToAgent, trackerName } from "./messages.ts";
import type { Internals } from "./supervisor/internals.ts";

const attachTimeoutMs = 2_000;
const attachRetryMs = 100;
/** Events that are not acknowledged by then are sent again. */
const resendMs = 2_000;

export interface AgentOptions {
  readonly name: string;
  readonly incarnation: number;
  readonly system: ActorSystem;
  readonly runtime: Runtime;
  readonly blobs: Pick<BlobKeeper, "has" | "fetch">;
  readonly log: Logger;
  /** The parts of Halon itself. */
  readonly internals: () => Pick<Internals, "inventory" | "perform"> | undefined;
  readonly hooks: Pick<Hooks, "perform">;
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

type StartAction = Extract<CommandAction, { type: "StartService" }>;

/** Carries out commands and reports events; one for each node. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #queue = new EventQueue();
  readonly #intake = new CommandIntake();
  /** Instances whose code is being fetched, or whose lease is asked for. */
  readonly #fetching = new Map<string, StartAction>();
  readonly #waitingForEmpty: (() => void)[] = [];
  #leader: string | undefined;
  #isAttached = false;
  #isAttaching = false;
  #isLeaving = false;
  #isClosed = false;
  #retry: NodeJS.Timeout | undefined;
  #sentAt = 0;
  readonly #resend: NodeJS.Timeout;
  readonly #leases: LeaseRenewer;

  constructor(options: AgentOptions) {
    this.#options = options;
    const { name, system, runtime, log } = options;
    this.#leases = new LeaseRenewer({ name, system, runtime, log, leader: () => this.leader });
    this.#resend = setInterval(() => this.#resendLate(), resendMs / 2);
    options.system.spawn(
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
    return this.#isAttached ? this.#leader : undefined;
  }

  /** The node that leads can be reached. */
  connected(leader: string): void {
    this.#leader = leader;
    this.#isAttached = false;
    void this.#attach();
  }

  disconnected(): void {
    this.#leader = undefined;
    this.#isAttached = false;
  }

  /** Takes an event of this node; it is sent at once when the coordinator can be reached. */
  emit(type: string, data: unknown): void {
    const event = { type, version: 1, data: JSON.parse(JSON.stringify(data)) as JsonObject };
    if (!this.#queue.add(event)) {
      this.#options.log.error({ type }, "an event was dropped: too many wait for a leader");
      return;
    }
    if (this.#isAttached) this.#send(this.#queue.number());
  }

  /** Refuses further commands, says that the node leaves, and waits until that has taken effect. */
  async leave(deadlineMs: number): Promise<void> {
    this.#intake.stop();
    this.#isLeaving = true;
    this.emit("NodeLeft", { node: this.#options.name, incarnation: this.#options.incarnation });
    await this.flushed(deadlineMs);
  }

  /** Resolves when every event has taken effect, or at the deadline. */
  flushed(deadlineMs: number): Promise<void> {
    if (this.#queue.size === 0 || !this.#isAttached) return Promise.resolve();
    return new Promise((resolve) => {
      const late = setTimeout(resolve, deadlineMs);
      this.#waitingForEmpty.push(() => {
        clearTimeout(late);
        resolve();
      });
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#leases.close();
    clearInterval(this.#resend);
    clearTimeout(this.#retry);
  }

  #receive(message: ToAgent): void {
    switch (message.type) {
      case "commands":
        traceStarts("command", message.commands);
        for (const command of message.commands) this.#take(command);
        return;
      case "ack":
        this.#queue.acknowledge(message.sequence);
        if (this.#queue.size === 0) for (const done of this.#waitingForEmpty.splice(0)) done();
        return;
      case "gap":
        if (this.#isAttached) this.#send(this.#queue.resume(message.expected - 1));
        return;
      case "delta":
        this.#options.delta(message.delta);
        return;
      case "heard":
        this.#options.heard(message.index);
        return;
      case "detached":
        this.#isAttached = false;
        void this.#attach();
        return;
    }
  }

  async #attach(): Promise<void> {
    if (this.#isAttaching || this.#isClosed) return;
    this.#isAttaching = true;
    clearTimeout(this.#retry);
    const leader = this.#leader;
    try {
      if (leader === undefined) return;
      const { system, name, incarnation } = this.#options;
      const answer = await system.call<Attached>(
        { name: trackerName, node: leader },
        { type: "attach", node: name, incarnation },
        { timeoutMs: attachTimeoutMs },
      );
      if (leader === this.#leader && this.#intake.follow(answer.epoch)) this.#resume(answer);
    } catch (error) {
      const { code, message: reason } = toErrorData(error);
      this.#options.log.debug({ reason }, "could not attach, trying again");
      if (code === "HAL_NO_LEADER") this.#options.refused();
    } finally {
      this.#isAttaching = false;
    }
    if (!this.#isAttached && this.#leader !== undefined && !this.#isClosed) {
      this.#retry = setTimeout(() => void this.#attach(), attachRetryMs);
    }
  }

  /** Everything from before comes first, then who this is and what runs here, as of this very moment. */
  #resume(answer: Attached): void {
    this.#isAttached = true;
    this.#options.attached(answer);
    this.#queue.number();
    this.#queue.resume(answer.sequence);
    if (!this.#isLeaving) this.#tellPresence();
    this.#queue.number();
    this.#send(this.#queue.unacknowledged);
    this.#leases.renewSoon();
  }

  /** Not after it has said that it leaves: it would be waited for, and count as lost. */
  #tellPresence(): void {
    const inventory = JSON.parse(JSON.stringify(this.#inventory())) as JsonObject;
    for (const [type, data] of [
      ["NodeJoined", this.#options.describe()],
      ["NodeInventory", inventory],
    ] as const) {
      if (!this.#queue.add({ type, version: 1, data }))
        this.#options.log.error({ type }, "an event was dropped: too many wait for a leader");
      this.#queue.number();
    }
  }

  #inventory(): DataOf<typeof events.NodeInventory> {
    const fetching = [...this.#fetching.values()].map(
      ({ instance, service, manifest }): InventoryInstance => ({
        instance,
        service,
        type: manifest.name,
        version: manifest.version,
        state: "starting",
        health: "unknown",
      }),
    );
    const instances = [...this.#options.runtime.inventory(), ...fetching];
    const parts = this.#options.internals()?.inventory() ?? [];
    return { node: this.#options.name, lastCommand: this.#intake.last, instances, parts };
  }

  #send(events: ReturnType<EventQueue["number"]>): void {
    if (events.length === 0 || this.#leader === undefined) return;
    this.#sentAt = performance.now();
    traceFailures("sent", events);
    const { system, name, incarnation } = this.#options;
    const isSent = system.send(
      { name: trackerName, node: this.#leader },
      { type: "events", node: name, incarnation, events },
    );
    if (!isSent) this.#isAttached = false;
    if (!isSent) void this.#attach();
  }

  #resendLate(): void {
    const waits = this.#queue.unacknowledged.length > 0;
    if (this.#isAttached && waits && performance.now() - this.#sentAt >= resendMs) {
      this.#send(this.#queue.unacknowledged);
    }
  }

  #take(command: Command): void {
    const verdict = this.#intake.take(command);
    if (verdict.type === "known") return;
    if (verdict.type === "stale") {
      const { code, reason } = verdict;
      this.#options.log.warn({ command: command.id, code, reason }, "refused a command");
      return;
    }
    if (verdict.type === "refuse") {
      this.#refuse(command.id, verdict.code, verdict.reason);
      return;
    }
    try {
      this.#begin(command.action, command.id);
    } catch (error) {
      const { code, message } = toErrorData(error);
      this.#refuse(command.id, code, message);
    }
  }

  #refuse(command: string, code: string, reason: string): void {
    this.#options.log.warn({ command, code, reason }, "refused a command");
    this.emit("CommandRefused", { node: this.#options.name, command, code, reason });
  }

  #begin(action: CommandAction, id: string): void {
    if (action.type === "RunHook") {
      this.#options.hooks.perform(action, id);
      return;
    }
    if (this.#options.internals()?.perform(action, id) === true) return;
    if (action.type === "StopService" && this.#fetching.delete(action.instance)) {
      const { service, instance } = action;
      this.#leases.giveUp(instance);
      this.emit("ServiceStopped", { node: this.#options.name, service, instance, command: id });
      return;
    }
    if (action.type === "StartService") {
      const missing = [action.manifest.blob, ...action.manifest.files].filter(
        (hash) => !this.#options.blobs.has(hash),
      );
      if (missing.length > 0 || action.lease !== undefined) {
        void this.#prepareAndStart(action, id, missing);
        return;
      }
    }
    this.#options.runtime.perform(action, id);
  }

  /** Nothing of it runs before its code is here and, of an exclusive one, its lease is granted. */
  async #prepareAndStart(
    action: StartAction,
    id: string,
    missing: readonly string[],
  ): Promise<void> {
    const { instance, lease, manifest } = action;
    this.#fetching.set(instance, action);
    try {
      await this.#fetch(missing);
      // A stop has come meanwhile, and was answered.
      if (!this.#fetching.has(instance)) return;
      if (lease !== undefined)
        await this.#leases.acquire({ instance, ...lease }, manifest.startTimeoutMs);
    } catch (error) {
      if (!this.#fetching.delete(instance)) return;
      const { code, message } = toErrorData(error);
      this.emit("ServiceCouldNotStart", {
        node: this.#options.name,
        service: action.service,
        instance,
        command: id,
        code,
        reason: message,
      });
      return;
    }
    if (this.#fetching.delete(instance)) this.#options.runtime.perform(action, id);
  }

  async #fetch(missing: readonly string[]): Promise<void> {
    try {
      for (const hash of missing) await this.#options.blobs.fetch(hash);
    } catch (error) {
      const reason = `its code cannot be fetched: ${toErrorData(error).message}`;
      throw new HalonError("HAL_BLOB_MISSING", reason, { cause: error });
    }
  }
}
