import { type ActorSystem, failure } from "@halon/actor";
import {
  type CoordinatorHost,
  type CoordinatorNews,
  traceFailures,
  traceStarts,
} from "@halon/coordinator";
import { HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { Liveness, type Observation } from "./core/index.ts";
import type { LostLeader } from "./links.ts";
import {
  type Attach,
  type Attached,
  agentName,
  type ToAgent,
  type ToTracker,
  trackerName,
} from "./messages.ts";
import type { Replica, ReplicaDelta } from "./replica.ts";

/** Nodes hear so often that this one still leads: their reads say how old they are. */
const heardEveryMs = 250;
/** Of a link that broke longer ago than this, nothing is concluded. */
const lostKnownMs = 10_000;
const sourcePrefix = "node/";

export interface TrackerOptions {
  readonly name: string;
  readonly clusterId: string;
  /** Names of all tracking nodes: their replicas are fed by their own coordinators. */
  readonly trackingNodes: ReadonlySet<string>;
  readonly system: ActorSystem;
  readonly replica: Replica;
  readonly log: Logger;
  /** `host:port` of the node that leads, as far as is known. */
  owner(): string | null;
  /** The leader before, when the link to it broke. */
  lostLeader(): LostLeader | undefined;
}

/** What holds from `leading` to the end of that thread. */
interface Leadership {
  readonly coordinator: CoordinatorHost;
  readonly epoch: number;
  readonly liveness: Liveness;
}

/** The leader's part: stands between the coordinator and the agents of all nodes. On other nodes it refuses them. */
export class Tracker {
  readonly #options: TrackerOptions;
  #leadership: Leadership | undefined;
  #livenessTimer: NodeJS.Timeout | undefined;
  readonly #heardTimer: NodeJS.Timeout;

  constructor(options: TrackerOptions) {
    this.#options = options;
    const { system } = options;
    system.spawn(() => ({ receive: (message) => this.#receive(message as ToTracker) }), {
      name: trackerName,
      mailboxMax: 100_000,
    });
    system.events.on("nodeDown", (node, reason) => {
      const observed = this.#leadership?.liveness.detach(node, reason, performance.now());
      if (observed !== undefined) this.#observe(observed);
    });
    this.#heardTimer = setInterval(() => this.#tellHeard(), heardEveryMs);
  }

  get leads(): boolean {
    return this.#leadership !== undefined;
  }

  /** The coordinator decides from now on: every node has to attach to it, or is down. */
  lead(coordinator: CoordinatorHost, epoch: number): void {
    const liveness = new Liveness();
    this.#leadership = { coordinator, epoch, liveness };
    for (const node of this.#options.replica.view.list("Node")) {
      const { state, incarnation } = node.attributes;
      if (state !== "down") liveness.expect(node.id, incarnation, performance.now());
    }
    this.#observe(this.#detachLostLeader(liveness));
    const { system, name } = this.#options;
    for (const node of [name, ...system.nodes()]) this.#tell(node, { type: "detached" });
  }

  /** The coordinator has ended: nobody is attached any more. */
  rest(): void {
    const attached = this.#leadership?.liveness.attached() ?? [];
    this.#leadership = undefined;
    clearTimeout(this.#livenessTimer);
    for (const node of attached) this.#tell(node, { type: "detached" });
  }

  /** Sends on what the coordinator tells single nodes. */
  take(news: Extract<CoordinatorNews, { type: "commands" | "ack" | "gap" }>): void {
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
        this.#tell(nodeOf(news.source), { type: "ack", sequence: news.sequence });
        return;
      case "gap":
        this.#tell(nodeOf(news.source), { type: "gap", expected: news.expected });
        return;
    }
  }

  /** Hands what a record did to the graph to the satellites that are attached. */
  follow(delta: ReplicaDelta): void {
    for (const node of this.#leadership?.liveness.attached() ?? []) {
      if (!this.#options.trackingNodes.has(node)) this.#tell(node, { type: "delta", delta });
    }
  }

  /** Why a peer may not connect, or null. */
  refusal(node: string, incarnation: number): string | null {
    if (node === this.#options.name)
      return `${node} is the name of this tracking node itself; start the other with another --name`;
    const known = this.#options.replica.view.get("Node", node);
    if (known !== undefined && known.attributes.incarnation > incarnation) {
      return `${node} was here with incarnation ${known.attributes.incarnation}, this one has ${incarnation}: an older copy of its data directory?`;
    }
    return null;
  }

  close(): void {
    this.#leadership = undefined;
    clearTimeout(this.#livenessTimer);
    clearInterval(this.#heardTimer);
  }

  async #receive(message: ToTracker): Promise<unknown> {
    try {
      switch (message.type) {
        case "attach":
          return await this.#attach(message);
        case "events": {
          traceFailures("tracked", message.events);
          const { node, incarnation, events } = message;
          this.#leadership?.coordinator.events(`${sourcePrefix}${node}`, incarnation, events);
          return undefined;
        }
      }
    } catch (error) {
      return failure(toErrorData(error));
    }
  }

  async #attach({ node, incarnation }: Attach): Promise<Attached> {
    const leadership = this.#leadership;
    const { clusterId, name, replica, log } = this.#options;
    if (leadership === undefined) throw this.#notLeading();
    const { coordinator, epoch, liveness } = leadership;
    const sequence = await coordinator.watermark(`${sourcePrefix}${node}`, incarnation);
    if (this.#leadership !== leadership) throw this.#notLeading();
    log.debug({ attached: node, incarnation }, "a node has attached");
    liveness.attach(node, incarnation);
    // After the inventory that follows: the agent sends it before it handles anything else.
    coordinator.resend(node);
    return { clusterId, leader: name, epoch, index: replica.index, sequence };
  }

  #notLeading(): HalonError {
    const { name } = this.#options;
    const owner = this.#options.owner();
    const who = owner === null ? "nobody is known to" : `the node at ${owner} does`;
    return new HalonError("HAL_NO_LEADER", `Node ${name} does not lead; ${who}.`);
  }

  /** Of the leader before it is known since when it is gone: it is not waited for as the others are. */
  #detachLostLeader(liveness: Liveness): readonly Observation[] {
    const { system, replica, lostLeader } = this.#options;
    const lost = lostLeader();
    if (lost === undefined || system.nodes().includes(lost.node)) return [];
    if (performance.now() - lost.at > lostKnownMs) return [];
    const known = replica.view.get("Node", lost.node)?.attributes;
    if (known === undefined || known.state === "down") return [];
    liveness.attach(lost.node, known.incarnation);
    return liveness.detach(lost.node, lost.reason, lost.at);
  }

  #tellHeard(): void {
    const { name, replica } = this.#options;
    for (const node of this.#leadership?.liveness.attached() ?? []) {
      if (node !== name) this.#tell(node, { type: "heard", index: replica.index });
    }
  }

  #tell(node: string, message: ToAgent): void {
    try {
      this.#options.system.send({ name: agentName, node }, message);
    } catch (error) {
      this.#options.log.warn(
        { peer: node, reason: toErrorData(error).message },
        "a message to a node was refused",
      );
    }
  }

  #observe(observations: readonly Observation[]): void {
    for (const { type, ...data } of observations) {
      const { node: peer, incarnation, reason } = data;
      const said = { peer, incarnation, reason };
      this.#options.log.warn(said, type === "NodeLost" ? "a node is down" : "a node is suspect");
      this.#leadership?.coordinator.observe(type, data);
    }
    this.#armLiveness();
  }

  #armLiveness(): void {
    clearTimeout(this.#livenessTimer);
    const leadership = this.#leadership;
    const next = leadership?.liveness.nextAt();
    if (leadership === undefined || next === undefined) return;
    const waitMs = Math.max(1, next - performance.now());
    this.#livenessTimer = setTimeout(
      () => this.#observe(leadership.liveness.tick(performance.now())),
      waitMs,
    );
  }
}

function nodeOf(source: string): string {
  return source.slice(sourcePrefix.length);
}
