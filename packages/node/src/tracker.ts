import { type ActorSystem, failure } from "@halon/actor";
import {
  type CoordinatorHost,
  type CoordinatorNews,
  traceFailures,
  traceStarts,
} from "@halon/coordinator";
import { HalonError, InstanceId, Name, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { z } from "zod";
import type { HeardBeats } from "./beat/node-beats.ts";
import {
  type AskOpinions,
  type DetectorOutput,
  FailureDetector,
  type Observation,
  tickMs,
} from "./core/index.ts";
import type { LostLeader } from "./links.ts";
import {
  type Attach,
  type Attached,
  agentName,
  type Opinion,
  observerName,
  type Renew,
  type Renewed,
  type ToAgent,
  type ToObserver,
  type ToTracker,
  trackerName,
} from "./messages.ts";
import { removalOf, removedBy } from "./removed.ts";
import type { Replica, ReplicaDelta } from "./replica.ts";

/** Nodes hear so often that this one still leads: their reads say how old they are. */
const heardEveryMs = 250;
/** The nodes of the graph are compared so often with those that are watched. */
const compareEveryMs = 1_000;
/** Of a link that broke longer ago than this, nothing is concluded. */
const lostKnownMs = 10_000;
/** Who has not said by then when it heard another node is not waited for. */
const opinionMs = 400;
const sourcePrefix = "node/";

/** A renewal as a peer sends it; the coordinator's thread must not meet another shape. */
const Renewal = z.strictObject({
  type: z.literal("renew"),
  node: Name,
  asked: z.array(z.strictObject({ instance: InstanceId, token: z.number().int() })).max(10_000),
});

export interface TrackerOptions {
  readonly name: string;
  readonly clusterId: string;
  /** Names of all tracking nodes: their replicas are fed by their own coordinators. */
  readonly trackingNodes: ReadonlySet<string>;
  readonly system: ActorSystem;
  readonly replica: Replica;
  readonly beats: HeardBeats;
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
  readonly detector: FailureDetector;
  /** Nodes that the graph has and nobody watched when they were compared last. */
  unwatched: ReadonlySet<string>;
  comparedAt: number;
}

/** The leader's part: stands between the coordinator and the agents of all nodes. On other nodes it refuses them. */
export class Tracker {
  readonly #options: TrackerOptions;
  #leadership: Leadership | undefined;
  #tickTimer: NodeJS.Timeout | undefined;
  readonly #heardTimer: NodeJS.Timeout;

  constructor(options: TrackerOptions) {
    this.#options = options;
    const { system, beats } = options;
    system.spawn(() => ({ receive: (message) => this.#receive(message as ToTracker) }), {
      name: trackerName,
      mailboxMax: 100_000,
    });
    system.events.on("nodeDown", (node, reason) => {
      this.#take(this.#leadership?.detector.linkDown(node, reason, performance.now()));
    });
    beats.events.on("heard", (arrivals) => {
      this.#leadership?.detector.heard(arrivals, performance.now());
    });
    beats.events.on("late", (ms) => {
      this.#leadership?.detector.ownLateness(ms, performance.now());
    });
    this.#heardTimer = setInterval(() => this.#tellHeard(), heardEveryMs);
  }

  get leads(): boolean {
    return this.#leadership !== undefined;
  }

  /** The coordinator decides from now on: every node has to attach to it, or is down. */
  lead(coordinator: CoordinatorHost, epoch: number): void {
    const { system, name, replica, beats } = this.#options;
    const now = performance.now();
    const detector = new FailureDetector(name, now);
    this.#leadership = { coordinator, epoch, detector, unwatched: new Set(), comparedAt: now };
    for (const node of replica.view.list("Node")) {
      const { state, incarnation } = node.attributes;
      if (state !== "down") detector.expect(node.id, incarnation, now);
      const heard = beats.last(node.id);
      if (heard !== undefined) detector.heard([heard], now);
    }
    this.#take(this.#expectLostLeader(detector, now));
    clearInterval(this.#tickTimer);
    this.#tickTimer = setInterval(() => this.#tick(detector), tickMs);
    for (const node of [name, ...system.nodes()]) this.#tell(node, { type: "detached" });
  }

  /** The coordinator has ended: nobody is attached any more. */
  rest(): void {
    const attached = this.#leadership?.detector.attached() ?? [];
    this.#leadership = undefined;
    clearInterval(this.#tickTimer);
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
    for (const node of this.#leadership?.detector.attached() ?? []) {
      if (!this.#options.trackingNodes.has(node)) this.#tell(node, { type: "delta", delta });
    }
    if (this.#leadership === undefined) return;
    // Its link stays; it takes part again when a person has taken it back, and it attaches.
    for (const node of removedBy(delta)) {
      this.#leadership.detector.leave(node);
      this.#tell(node, { type: "detached" });
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
    return removalOf(this.#options.replica.view, node);
  }

  close(): void {
    this.#leadership = undefined;
    clearInterval(this.#tickTimer);
    clearInterval(this.#heardTimer);
  }

  async #receive(message: ToTracker): Promise<unknown> {
    try {
      switch (message.type) {
        case "attach":
          return await this.#attach(message);
        case "renew":
          return await this.#renew(message);
        case "events": {
          traceFailures("tracked", message.events);
          const { node, incarnation, events } = message;
          this.#leadership?.coordinator.events(`${sourcePrefix}${node}`, incarnation, events);
          if (events.some(({ event }) => event.type === "NodeLeft"))
            this.#leadership?.detector.leave(node);
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
    const removal = removalOf(replica.view, node);
    if (removal !== null) throw new HalonError("HAL_CONFLICT", removal);
    const { coordinator, epoch, detector } = leadership;
    const sequence = await coordinator.watermark(`${sourcePrefix}${node}`, incarnation);
    if (this.#leadership !== leadership) throw this.#notLeading();
    log.debug({ attached: node, incarnation }, "a node has attached");
    this.#take(detector.attach(node, incarnation, performance.now()));
    // After the inventory that follows: the agent sends it before it handles anything else.
    coordinator.resend(node);
    return { clusterId, leader: name, epoch, index: replica.index, sequence };
  }

  async #renew(message: Renew): Promise<Renewed> {
    if (this.#leadership === undefined) throw this.#notLeading();
    const renewal = Renewal.safeParse(message);
    if (!renewal.success) {
      throw new HalonError("HAL_BAD_REQUEST", `not a renewal: ${z.prettifyError(renewal.error)}`);
    }
    const { node, asked } = renewal.data;
    return { granted: await this.#leadership.coordinator.renew(node, asked) };
  }

  #notLeading(): HalonError {
    const { name } = this.#options;
    const owner = this.#options.owner();
    const who = owner === null ? "nobody is known to" : `the node at ${owner} does`;
    return new HalonError("HAL_NO_LEADER", `Node ${name} does not lead; ${who}.`);
  }

  /** Of the leader before it is known since when it is gone: it is not waited for as the others are. */
  #expectLostLeader(detector: FailureDetector, now: number): readonly DetectorOutput[] {
    const { system, replica, lostLeader } = this.#options;
    const lost = lostLeader();
    if (lost === undefined || system.nodes().includes(lost.node)) return [];
    if (now - lost.at > lostKnownMs) return [];
    const known = replica.view.get("Node", lost.node)?.attributes;
    if (known === undefined || known.state === "down") return [];
    return detector.expectClosed(lost.node, known.incarnation, lost, now);
  }

  #tellHeard(): void {
    const { name, replica } = this.#options;
    for (const node of this.#leadership?.detector.attached() ?? []) {
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

  #tick(detector: FailureDetector): void {
    const { beats } = this.#options;
    const now = performance.now();
    detector.setObservers(beats.observers);
    detector.ownLateness(beats.lateMs(), now);
    this.#take(detector.tick(now));
    this.#compare(now);
  }

  /**
   * Waits for nodes that are not down and that nobody watches, as a new leader does: what was observed of them, or what
   * they said at their end, did not become a record. None may be up for ever without anybody who sees its end.
   */
  #compare(now: number): void {
    const leadership = this.#leadership;
    if (leadership === undefined || now - leadership.comparedAt < compareEveryMs) return;
    const { detector, unwatched: before } = leadership;
    const nodes = this.#options.replica.view.list("Node");
    for (const { id, attributes } of nodes)
      if (attributes.state === "down") detector.expectNoMore(id);
    const present = nodes.filter(({ attributes }) => attributes.state !== "down");
    const unwatched = new Set(detector.unwatched(present.map(({ id }) => id)));
    for (const { id, attributes } of present) {
      // What was concluded a moment ago is on its way into the graph.
      if (!unwatched.has(id) || !before.has(id)) continue;
      detector.expect(id, attributes.incarnation, now);
      if (id === this.#options.name || this.#options.system.nodes().includes(id))
        this.#tell(id, { type: "detached" });
    }
    leadership.unwatched = unwatched;
    leadership.comparedAt = now;
  }

  #take(outputs: readonly DetectorOutput[] = []): void {
    for (const output of outputs) {
      if (output.type === "askOpinions") this.#ask(output);
      else this.#observe(output);
    }
  }

  #observe({ type, ...data }: Observation): void {
    const { node: peer, incarnation, reason, evidence } = data;
    const said = { peer, incarnation, reason, evidence };
    const { log } = this.#options;
    if (type === "NodeTrusted") log.info(said, "a node is trusted again");
    else log.warn(said, type === "NodeLost" ? "a node is down" : "a node is suspect");
    this.#leadership?.coordinator.observe(type, { ...data, evidence: [...evidence] });
    // Its link may outlive this: it has to attach again to be up.
    if (type === "NodeLost") this.#tell(peer, { type: "detached" });
  }

  /** Who does not answer has nothing to say. */
  #ask({ node: about, of }: AskOpinions): void {
    const { system } = this.#options;
    const question: ToObserver = { type: "opinion", about };
    const detector = this.#leadership?.detector;
    for (const node of of) {
      system
        .call<Opinion>({ name: observerName, node }, question, { timeoutMs: opinionMs })
        .then(({ ageMs }) => detector?.opinion(node, about, ageMs, performance.now()))
        .catch(() => undefined);
    }
  }
}

function nodeOf(source: string): string {
  return source.slice(sourcePrefix.length);
}
