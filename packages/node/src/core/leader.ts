import { InstanceId, Name } from "@halon/protocol";
import { z } from "zod";
import type { Attach, Refusal, Renew, ReplicaDelta, ToAgent } from "./agent-messages.ts";
import type { NumberedNodeEvent } from "./event-queue.ts";
import { type DetectorOutput, FailureDetector, type HeardBeat } from "./failure-detector.ts";
import type { CoordinatorWord, LeaderEffect, LeaderReads } from "./leader-effects.ts";
import { removalOf, removedBy } from "./removed.ts";

/** The driver gives `tellHeard` so often, in ms: reads of nodes say how old they are. */
export const heardEveryMs = 250;
/** Who has not said by then when it heard another node is not waited for; ms. */
export const opinionMs = 400;
/** The nodes of the graph are compared so often with those that are watched. */
const compareEveryMs = 1_000;
/** Of a link that broke longer ago than this, nothing is concluded. */
const lostKnownMs = 10_000;
const sourcePrefix = "node/";

/** A renewal as a peer sends it; the coordinator must not meet another shape. */
const Renewal = z.strictObject({
  type: z.literal("renew"),
  node: Name,
  asked: z.array(z.strictObject({ instance: InstanceId, token: z.number().int() })).max(10_000),
});

/** What holds from `lead` to `rest`. */
interface Leadership {
  /** Goes with every question for opinions: an answer is for the leadership that asked. */
  readonly ref: number;
  readonly epoch: number;
  readonly detector: FailureDetector;
  /** Nodes that the graph has and nobody watched when they were compared last. */
  unwatched: ReadonlySet<string>;
  comparedAt: number;
}

/**
 * Decides what the leader's part of a tracking node does: whom it serves, what it tells whom, and whom it watches.
 *
 * It stands between the coordinator and the agents of all nodes; on a node that does not lead it refuses them. `now` is of
 * one monotonic clock, in ms. The driver gives `tick` every `tickMs` while it leads.
 */
export class LeaderCore {
  readonly #name: string;
  readonly #clusterId: string;
  readonly #trackingNodes: ReadonlySet<string>;
  readonly #reads: LeaderReads;
  readonly #attaching = new Map<number, { readonly message: Attach; readonly of: Leadership }>();
  #leadership: Leadership | undefined;
  #lastRef = 0;

  constructor(
    options: {
      readonly name: string;
      readonly clusterId: string;
      /** Names of all tracking nodes: their replicas are fed by their own coordinators. */
      readonly trackingNodes: ReadonlySet<string>;
    },
    reads: LeaderReads,
  ) {
    this.#name = options.name;
    this.#clusterId = options.clusterId;
    this.#trackingNodes = options.trackingNodes;
    this.#reads = reads;
  }

  get leads(): boolean {
    return this.#leadership !== undefined;
  }

  /** The coordinator decides from now on: every node has to attach to it, or is down. */
  lead(epoch: number, now: number): readonly LeaderEffect[] {
    const detector = new FailureDetector(this.#name, now);
    this.#lastRef += 1;
    this.#leadership = {
      ref: this.#lastRef,
      epoch,
      detector,
      unwatched: new Set(),
      comparedAt: now,
    };
    for (const { id, attributes } of this.#reads.view().list("Node")) {
      if (attributes.state !== "down") detector.expect(id, attributes.incarnation, now);
      const heard = this.#reads.lastBeat(id);
      if (heard !== undefined) detector.heard([heard], now);
    }
    return [
      ...this.#take(this.#leadership, this.#expectLostLeader(detector, now)),
      ...[this.#name, ...this.#reads.linked()].map(detached),
    ];
  }

  /** The coordinator has ended: nobody is attached any more. */
  rest(): readonly LeaderEffect[] {
    const attached = this.#attached();
    this.#leadership = undefined;
    return attached.map(detached);
  }

  /** The coordinator tells single nodes something. */
  word(word: CoordinatorWord): readonly LeaderEffect[] {
    switch (word.type) {
      case "commands": {
        const { commands } = word;
        return [...new Set(commands.map(({ node }) => node))].flatMap((node) => {
          // Who is not attached gets them when it is.
          const incarnation = this.#leadership?.detector.attachedAs(node);
          if (incarnation === undefined) return [];
          const own = commands.filter((command) => command.node === node);
          return [tell(node, { type: "commands", incarnation, commands: own })];
        });
      }
      case "ack":
        return [tell(nodeOf(word.source), { type: "ack", sequence: word.sequence })];
      case "gap":
        return [tell(nodeOf(word.source), { type: "gap", expected: word.expected })];
    }
  }

  /** A record has been folded into the replica of this node. */
  record(delta: ReplicaDelta): readonly LeaderEffect[] {
    if (this.#leadership === undefined) return [];
    const { detector } = this.#leadership;
    const satellites = this.#attached().filter((node) => !this.#trackingNodes.has(node));
    // Its link stays; it takes part again when a person has taken it back, and it attaches.
    const removed = removedBy(delta);
    for (const node of removed) detector.leave(node);
    return [
      ...satellites.map((node) => tell(node, { type: "delta", delta })),
      ...removed.map(detached),
    ];
  }

  /** An agent asks to be taken in; `ref` is the driver's number for its answer. */
  attach(ref: number, message: Attach): readonly LeaderEffect[] {
    const { node, incarnation } = message;
    if (this.#leadership === undefined) return [this.#notLeading(ref)];
    const removal = removalOf(this.#reads.view(), node);
    if (removal !== null) return [refuse(ref, { code: "HAL_CONFLICT", message: removal })];
    this.#attaching.set(ref, { message, of: this.#leadership });
    return [{ type: "watermark", ref, source: `${sourcePrefix}${node}`, incarnation }];
  }

  /** The coordinator has answered. */
  watermark(ref: number, sequence: number, now: number): readonly LeaderEffect[] {
    const asked = this.#attaching.get(ref);
    if (asked === undefined) return [];
    this.#attaching.delete(ref);
    const { of: leadership, message } = asked;
    if (this.#leadership !== leadership) return [this.#notLeading(ref)];
    const { node, incarnation } = message;
    const { epoch, detector } = leadership;
    // Its link has ended meanwhile, and nobody would say so again.
    if (node !== this.#name && !this.#reads.linked().includes(node)) {
      const text = `the link to ${node} has ended`;
      return [refuse(ref, { code: "HAL_UNREACHABLE", message: text })];
    }
    const answer = {
      clusterId: this.#clusterId,
      leader: this.#name,
      epoch,
      index: this.#reads.index(),
      sequence,
    };
    return [
      ...this.#take(leadership, detector.attach(node, incarnation, now)),
      // After the inventory that follows: the agent sends it before it handles anything else.
      { type: "resend", node },
      { type: "answer", ref, answer },
    ];
  }

  /** The coordinator has refused, or not answered. */
  noWatermark(ref: number, refusal: Refusal): readonly LeaderEffect[] {
    return this.#attaching.delete(ref) ? [refuse(ref, refusal)] : [];
  }

  /** An agent asks for leases, in words that nobody has checked; `ref` as of `attach`. */
  renew(ref: number, message: Renew): readonly LeaderEffect[] {
    if (this.#leadership === undefined) return [this.#notLeading(ref)];
    const renewal = Renewal.safeParse(message);
    if (!renewal.success) {
      const text = `not a renewal: ${z.prettifyError(renewal.error)}`;
      return [refuse(ref, { code: "HAL_BAD_REQUEST", message: text })];
    }
    const { node, asked } = renewal.data;
    return [{ type: "renew", ref, node, asked }];
  }

  /** An agent sends events. */
  events(
    node: string,
    incarnation: number,
    events: readonly NumberedNodeEvent[],
  ): readonly LeaderEffect[] {
    if (this.#leadership === undefined) return [];
    if (events.some(({ event }) => event.type === "NodeLeft"))
      this.#leadership.detector.leave(node);
    return [{ type: "events", source: `${sourcePrefix}${node}`, incarnation, events }];
  }

  /** Beats have come in, in this order. */
  heard(beats: readonly HeardBeat[], now: number): void {
    this.#leadership?.detector.heard(beats, now);
  }

  /** This node saw beats so late, in ms. */
  late(ms: number, now: number): void {
    this.#leadership?.detector.ownLateness(ms, now);
  }

  /** The control link to the node has ended. */
  linkDown(node: string, reason: string, now: number): readonly LeaderEffect[] {
    const leadership = this.#leadership;
    if (leadership === undefined) return [];
    return this.#take(leadership, leadership.detector.linkDown(node, reason, now));
  }

  /** What `from` answered to `askOpinions`; `ref` and `about` are those of the question. Null: it cannot say. */
  opinion(
    answer: {
      readonly ref: number;
      readonly about: string;
      readonly from: string;
      readonly ageMs: number | null;
    },
    now: number,
  ): void {
    const { ref, about, from, ageMs } = answer;
    if (this.#leadership?.ref === ref) this.#leadership.detector.opinion(from, about, ageMs, now);
  }

  /** `lateMs`: how late this node is in seeing beats just now. */
  tick(lateMs: number, now: number): readonly LeaderEffect[] {
    const leadership = this.#leadership;
    if (leadership === undefined) return [];
    const { detector } = leadership;
    detector.setObservers(this.#reads.observers());
    detector.ownLateness(lateMs, now);
    return [...this.#take(leadership, detector.tick(now)), ...this.#compare(leadership, now)];
  }

  /** Every `heardEveryMs`, leading or not. */
  tellHeard(): readonly LeaderEffect[] {
    const index = this.#reads.index();
    return this.#attached()
      .filter((node) => node !== this.#name)
      .map((node) => tell(node, { type: "heard", index }));
  }

  /** Why a peer may not open a link to this node, or null. */
  refusal(node: string, incarnation: number): string | null {
    if (node === this.#name)
      return `${node} is the name of this tracking node itself; start the other with another --name`;
    const view = this.#reads.view();
    const known = view.get("Node", node);
    if (known !== undefined && known.attributes.incarnation > incarnation) {
      return `${node} was here with incarnation ${known.attributes.incarnation}, this one has ${incarnation}: an older copy of its data directory?`;
    }
    return removalOf(view, node);
  }

  #attached(): readonly string[] {
    return this.#leadership?.detector.attached() ?? [];
  }

  #notLeading(ref: number): LeaderEffect {
    const owner = this.#reads.owner();
    const who = owner === null ? "nobody is known to" : `the node at ${owner} does`;
    const message = `Node ${this.#name} does not lead; ${who}.`;
    return refuse(ref, { code: "HAL_NO_LEADER", message });
  }

  /** Of the leader before it is known since when it is gone: it is not waited for as the others are. */
  #expectLostLeader(detector: FailureDetector, now: number): readonly DetectorOutput[] {
    const lost = this.#reads.lostLeader();
    if (lost === undefined || this.#reads.linked().includes(lost.node)) return [];
    if (now - lost.at > lostKnownMs) return [];
    const known = this.#reads.view().get("Node", lost.node)?.attributes;
    if (known === undefined || known.state === "down") return [];
    return detector.expectClosed(lost.node, known.incarnation, lost, now);
  }

  /**
   * Waits for nodes that are not down and that nobody watches, as a new leader does: what was observed of them, or what
   * they said at their end, did not become a record. None may be up for ever without anybody who sees its end.
   */
  #compare(leadership: Leadership, now: number): readonly LeaderEffect[] {
    if (now - leadership.comparedAt < compareEveryMs) return [];
    const { detector, unwatched: before } = leadership;
    const nodes = this.#reads.view().list("Node");
    for (const { id, attributes } of nodes)
      if (attributes.state === "down") detector.expectNoMore(id);
    const present = nodes.filter(({ attributes }) => attributes.state !== "down");
    const unwatched = new Set(detector.unwatched(present.map(({ id }) => id)));
    leadership.unwatched = unwatched;
    leadership.comparedAt = now;
    // What was concluded a moment ago is on its way into the graph.
    const missed = present.filter(({ id }) => unwatched.has(id) && before.has(id));
    for (const { id, attributes } of missed) detector.expect(id, attributes.incarnation, now);
    const reached = new Set([this.#name, ...this.#reads.linked()]);
    return missed.filter(({ id }) => reached.has(id)).map(({ id }) => detached(id));
  }

  #take({ ref }: Leadership, outputs: readonly DetectorOutput[]): readonly LeaderEffect[] {
    return outputs.flatMap((output): readonly LeaderEffect[] => {
      if (output.type === "askOpinions")
        return [{ type: "askOpinions", ref, about: output.node, of: output.of }];
      const observe: LeaderEffect = { type: "observe", observation: output };
      // Its link may outlive this: it has to attach again to be up.
      return output.type === "NodeLost" ? [observe, detached(output.node)] : [observe];
    });
  }
}

function tell(node: string, message: ToAgent): LeaderEffect {
  return { type: "tell", node, message };
}

function detached(node: string): LeaderEffect {
  return tell(node, { type: "detached" });
}

function refuse(ref: number, refusal: Refusal): LeaderEffect {
  return { type: "refuse", ref, refusal };
}

function nodeOf(source: string): string {
  return source.slice(sourcePrefix.length);
}
