import { type ActorSystem, failure } from "@halon/actor";
import {
  type Blobs,
  type CoordinatorHost,
  type CoordinatorNews,
  entriesOf,
  type Suspect,
  startCoordinator,
  traceFailures,
  traceStarts,
} from "@halon/coordinator";
import { type DecisionRecord, HalonError, Hash, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { Liveness, type Observation } from "./core/index.ts";
import {
  type Attach,
  type Attached,
  agentName,
  bulk,
  type ToAgent,
  type ToTracker,
  trackerName,
} from "./messages.ts";
import type { Replica } from "./replica.ts";

const restartMs = 500;
const restartMsMax = 10_000;
const journalBytesMax = 1_073_741_824;
const journalAgeMaxMs = 30 * 86_400_000;
const sourcePrefix = "node/";

export interface TrackerOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly clusterId: string;
  readonly system: ActorSystem;
  readonly replica: Replica;
  readonly blobs: Blobs;
  readonly log: Logger;
}

/** The tracking node's part: hosts the coordinator, and stands between it and the agents of all nodes. */
export class Tracker {
  readonly #options: TrackerOptions;
  readonly #liveness = new Liveness();
  #coordinator: CoordinatorHost | undefined;
  /** By blob: rule files that made a coordinator hang. New code has another blob, and its own chance. */
  readonly #suspects = new Map<string, Suspect>();
  #isClosed = false;
  #livenessTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #restartWaitMs = restartMs;
  /** Why there is no coordinator. */
  #reason: string | null = "the coordinator is starting";

  private constructor(options: TrackerOptions) {
    this.#options = options;
  }

  /** Resolves when the coordinator has read its log; rejects when the store cannot be used. */
  static async start(options: TrackerOptions): Promise<Tracker> {
    const tracker = new Tracker(options);
    await tracker.#startCoordinator();
    tracker.#serve();
    return tracker;
  }

  get coordinator(): CoordinatorHost {
    if (this.#coordinator === undefined) {
      throw new HalonError("HAL_NO_LEADER", `There is no coordinator: ${this.#reason}. Try again.`);
    }
    return this.#coordinator;
  }

  /** Null while a coordinator runs. */
  get notReady(): string | null {
    return this.#coordinator === undefined ? this.#reason : null;
  }

  /** Why a peer may not connect, or null. */
  refusal(node: string, incarnation: number): string | null {
    if (node === this.#options.name)
      return `${node} is the name of the tracking node itself; start the other with another --name`;
    const known = this.#options.replica.view.get("Node", node);
    if (known !== undefined && known.attributes.incarnation > incarnation) {
      return `${node} was here with incarnation ${known.attributes.incarnation}, this one has ${incarnation}: an older copy of its data directory?`;
    }
    return null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#livenessTimer);
    clearTimeout(this.#restartTimer);
    const coordinator = this.#coordinator;
    this.#coordinator = undefined;
    await coordinator?.stop();
  }

  async #startCoordinator(): Promise<void> {
    const { dataDir, clusterId, replica } = this.#options;
    const coordinator = await this.#startThread();
    if (coordinator.clusterId !== clusterId) {
      await coordinator.stop();
      const message = `The log in ${dataDir} is of cluster ${coordinator.clusterId}, setup.json of cluster ${clusterId}: two data directories were mixed. Restore the one that belongs there.`;
      throw new HalonError("HAL_DATA_DIR_INVALID", message);
    }
    this.#coordinator = coordinator;
    this.#reason = null;
    this.#restartWaitMs = restartMs;
    replica.reset(JSON.parse(coordinator.graph), coordinator.index, coordinator.epoch);
    for (const node of replica.view.list("Node")) {
      const { state, incarnation } = node.attributes;
      if (node.id === this.#options.name || state === "down" || this.#liveness.isAttached(node.id))
        continue;
      this.#liveness.expect(node.id, incarnation, performance.now());
    }
    this.#armLiveness();
    coordinator.ended.catch((error) => this.#lost(error));
  }

  /** Starts the thread, again without each rule file that makes it hang while it is loaded. */
  async #startThread(): Promise<CoordinatorHost> {
    const { dataDir, clusterId } = this.#options;
    for (;;) {
      const newCluster = { id: clusterId, name: "halon" };
      const suspects = [...this.#suspects.values()];
      try {
        return await startCoordinator(
          { dataDir, newCluster, journalBytesMax, journalAgeMaxMs, suspects },
          (news) => this.#hear(news),
        );
      } catch (error) {
        if (!this.#suspect(error)) throw error;
      }
    }
  }

  /** Takes note of the rule file that an error blames; false when it blames none, or one that is known. */
  #suspect(error: unknown): boolean {
    const suspect = error instanceof HalonError ? error.details["suspect"] : undefined;
    if (suspect === undefined) return false;
    const { blob, reason } = suspect as Suspect;
    if (this.#suspects.has(blob)) return false;
    this.#suspects.set(blob, { blob, reason });
    return true;
  }

  #lost(error: unknown): void {
    this.#coordinator = undefined;
    this.#suspect(error);
    this.#reason = toErrorData(error).message;
    if (this.#isClosed) return;
    this.#options.log.error(
      { reason: this.#reason },
      "the coordinator has ended; it is started again",
    );
    this.#restartTimer = setTimeout(() => {
      this.#startCoordinator().then(
        () => this.#tellAll({ type: "detached" }),
        (again) => this.#lost(again),
      );
    }, this.#restartWaitMs);
    this.#restartWaitMs = Math.min(this.#restartWaitMs * 2, restartMsMax);
  }

  #serve(): void {
    const { system, replica, blobs, name } = this.#options;
    system.spawn(() => ({ receive: (message) => this.#receive(message as ToTracker) }), {
      name: trackerName,
      mailboxMax: 100_000,
    });
    system.events.on("nodeDown", (node, reason) =>
      this.#observe(this.#liveness.detach(node, reason, performance.now())),
    );
    system.serveBulk(bulk.replica, async function* () {
      const bytes = new TextEncoder().encode(replica.toText());
      for (let start = 0; start < bytes.length; start += 1_048_576)
        yield bytes.subarray(start, start + 1_048_576);
    });
    system.serveBulk(bulk.blob, (args) =>
      blobs.read(Hash.parse((args as { hash?: unknown } | null)?.hash)),
    );
    this.#liveness.attach(name, system.incarnation);
  }

  async #receive(message: ToTracker): Promise<unknown> {
    try {
      switch (message.type) {
        case "attach":
          return await this.#attach(message);
        case "events":
          traceFailures("tracked", message.events);
          this.#coordinator?.events(
            `${sourcePrefix}${message.node}`,
            message.incarnation,
            message.events,
          );
          return undefined;
        case "history":
          return await this.coordinator.history(message.query);
      }
    } catch (error) {
      return failure(toErrorData(error));
    }
  }

  async #attach({ node, incarnation }: Attach): Promise<Attached> {
    const sequence = await this.coordinator.watermark(`${sourcePrefix}${node}`, incarnation);
    this.#liveness.attach(node, incarnation);
    // After the inventory that follows: the agent sends it before it handles anything else.
    this.coordinator.resend(node);
    return { clusterId: this.#options.clusterId, leader: this.#options.name, sequence };
  }

  #hear(news: CoordinatorNews): void {
    switch (news.type) {
      case "commands":
        traceStarts("told", news.commands);
        for (const node of new Set(news.commands.map((command) => command.node))) {
          this.#tell(node, {
            type: "commands",
            commands: news.commands.filter((command) => command.node === node),
          });
        }
        return;
      case "ack":
        this.#tell(news.source.slice(sourcePrefix.length), {
          type: "ack",
          sequence: news.sequence,
        });
        return;
      case "gap":
        this.#tell(news.source.slice(sourcePrefix.length), {
          type: "gap",
          expected: news.expected,
        });
        return;
      case "record":
        // After the commands that came with it have left for their nodes.
        setImmediate(() => this.#follow(JSON.parse(news.text) as DecisionRecord));
        return;
      case "warning":
        this.#options.log.warn(news.text);
        return;
    }
  }

  #follow(record: DecisionRecord): void {
    const { replica, name } = this.#options;
    const changes = record.decisions.flatMap((decision) =>
      decision.firings.flatMap((firing) => firing.changes),
    );
    const delta = { index: record.index, epoch: record.epoch, revision: record.revision, changes };
    replica.apply(delta);
    replica.events.emit("entries", entriesOf(record));
    for (const node of this.#liveness.attached())
      if (node !== name) this.#tell(node, { type: "delta", delta });
  }

  #tellAll(message: ToAgent): void {
    for (const node of this.#liveness.attached()) this.#tell(node, message);
  }

  #tell(node: string, message: ToAgent): void {
    try {
      this.#options.system.send({ name: agentName, node }, message);
    } catch (error) {
      this.#options.log.warn(
        { node, reason: toErrorData(error).message },
        "a message to a node was refused",
      );
    }
  }

  #observe(observations: readonly Observation[]): void {
    for (const { type, ...data } of observations) {
      this.#options.log.warn(data, type === "NodeLost" ? "a node is down" : "a node is suspect");
      this.#coordinator?.observe(type, data);
    }
    this.#armLiveness();
  }

  #armLiveness(): void {
    clearTimeout(this.#livenessTimer);
    const next = this.#liveness.nextAt();
    if (next === undefined || this.#isClosed) return;
    const waitMs = Math.max(1, next - performance.now());
    this.#livenessTimer = setTimeout(
      () => this.#observe(this.#liveness.tick(performance.now())),
      waitMs,
    );
  }
}
