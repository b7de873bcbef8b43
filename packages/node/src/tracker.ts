import { type ActorSystem, failure, later } from "@halon/actor";
import {
  type CoordinatorHost,
  type CoordinatorNews,
  traceFailures,
  traceStarts,
} from "@halon/coordinator";
import { HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import type { HeardBeats } from "./beat/node-beats.ts";
import {
  heardEveryMs,
  LeaderCore,
  type LeaderEffect,
  type LostLeader,
  type Observation,
  opinionMs,
  type Renewed,
  type ReplicaDelta,
  type ToTracker,
  tickMs,
} from "./core/index.ts";
import { agentName, type Opinion, observerName, type ToObserver, trackerName } from "./messages.ts";
import type { Replica } from "./replica.ts";

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

type EffectOf<T extends LeaderEffect["type"]> = Extract<LeaderEffect, { type: T }>;

/** The leader's part: stands between the coordinator and the agents of all nodes, as its core decides. */
export class Tracker {
  readonly #options: TrackerOptions;
  readonly #core: LeaderCore;
  /** Whose answers are awaited, by the number of the question. */
  readonly #asked = new Map<number, (answer: unknown) => void>();
  #lastRef = 0;
  #coordinator: CoordinatorHost | undefined;
  #tickTimer: NodeJS.Timeout | undefined;
  readonly #heardTimer: NodeJS.Timeout;

  constructor(options: TrackerOptions) {
    this.#options = options;
    const { system, beats, replica } = options;
    this.#core = new LeaderCore(options, {
      view: () => replica.view,
      index: () => replica.index,
      linked: () => system.nodes(),
      lastBeat: (node) => beats.last(node),
      observers: () => beats.observers,
      owner: () => options.owner(),
      lostLeader: () => options.lostLeader(),
    });
    system.spawn(() => ({ receive: (message) => this.#receive(message as ToTracker) }), {
      name: trackerName,
      mailboxMax: 100_000,
    });
    system.events.on("nodeDown", (node, reason) => {
      this.#run(this.#core.linkDown(node, reason, performance.now()));
    });
    beats.events.on("heard", (arrivals) => this.#core.heard(arrivals, performance.now()));
    beats.events.on("late", (ms) => this.#core.late(ms, performance.now()));
    this.#heardTimer = setInterval(() => this.#run(this.#core.tellHeard()), heardEveryMs);
  }

  get leads(): boolean {
    return this.#core.leads;
  }

  /** The coordinator decides from now on: every node has to attach to it, or is down. */
  lead(coordinator: CoordinatorHost, epoch: number): void {
    this.#coordinator = coordinator;
    clearInterval(this.#tickTimer);
    const tick = (): void =>
      this.#run(this.#core.tick(this.#options.beats.lateMs(), performance.now()));
    this.#tickTimer = setInterval(tick, tickMs);
    this.#run(this.#core.lead(epoch, performance.now()));
  }

  /** The coordinator has ended: nobody is attached any more. */
  rest(): void {
    clearInterval(this.#tickTimer);
    this.#run(this.#core.rest());
    this.#coordinator = undefined;
  }

  /** Sends on what the coordinator tells single nodes. */
  take(news: Extract<CoordinatorNews, { type: "commands" | "ack" | "gap" }>): void {
    if (news.type === "commands") traceStarts("told", news.commands);
    this.#run(this.#core.word(news));
  }

  /** Hands what a record did to the graph to the satellites that are attached. */
  follow(delta: ReplicaDelta): void {
    this.#run(this.#core.record(delta));
  }

  /** Why a peer may not connect, or null. */
  refusal(node: string, incarnation: number): string | null {
    return this.#core.refusal(node, incarnation);
  }

  close(): void {
    this.#core.rest();
    this.#coordinator = undefined;
    clearInterval(this.#tickTimer);
    clearInterval(this.#heardTimer);
  }

  /** Answers come later: a lease that waits for its proof holds up no event. */
  #receive(message: ToTracker): unknown {
    switch (message.type) {
      case "attach":
        return later(this.#ask((ref) => this.#core.attach(ref, message)));
      case "renew":
        return later(this.#ask((ref) => this.#core.renew(ref, message)));
      case "events": {
        traceFailures("tracked", message.events);
        const { node, incarnation, events } = message;
        try {
          this.#run(this.#core.events(node, incarnation, events));
          return undefined;
        } catch (error) {
          return failure(toErrorData(error));
        }
      }
    }
  }

  /** The answer to what an agent asked. */
  #ask(question: (ref: number) => readonly LeaderEffect[]): Promise<unknown> {
    this.#lastRef += 1;
    const ref = this.#lastRef;
    return new Promise((resolve) => {
      this.#asked.set(ref, resolve);
      try {
        this.#run(question(ref));
      } catch (error) {
        this.#answer(ref, failure(toErrorData(error)));
      }
    });
  }

  #answer(ref: number, answer: unknown): void {
    this.#asked.get(ref)?.(answer);
    this.#asked.delete(ref);
  }

  #run(effects: readonly LeaderEffect[]): void {
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: LeaderEffect): void {
    switch (effect.type) {
      case "tell":
        this.#tell(effect);
        return;
      case "events":
        this.#leading.events(effect.source, effect.incarnation, effect.events);
        return;
      case "observe":
        this.#observe(effect.observation);
        return;
      case "watermark":
        void this.#watermark(effect);
        return;
      case "resend":
        this.#leading.resend(effect.node);
        return;
      case "renew":
        void this.#renew(effect);
        return;
      case "answer":
        this.#answer(effect.ref, effect.answer);
        return;
      case "refuse": {
        const { code, message } = effect.refusal;
        this.#answer(effect.ref, failure({ code, message }));
        return;
      }
      case "askOpinions":
        this.#askOpinions(effect);
        return;
    }
  }

  /** What is for a coordinator comes between `lead` and `rest` only. */
  get #leading(): CoordinatorHost {
    if (this.#coordinator !== undefined) return this.#coordinator;
    throw new HalonError(
      "HAL_INTERNAL",
      "The leader's part has no coordinator, and one was asked.",
    );
  }

  async #watermark({ ref, source, incarnation }: EffectOf<"watermark">): Promise<void> {
    try {
      const sequence = await this.#leading.watermark(source, incarnation);
      this.#options.log.debug({ source, incarnation }, "a node attaches");
      this.#run(this.#core.watermark(ref, sequence, performance.now()));
    } catch (error) {
      const refusal = toErrorData(error);
      this.#run(this.#core.noWatermark(ref, refusal));
      this.#answer(ref, failure(refusal));
    }
  }

  async #renew({ ref, node, asked }: EffectOf<"renew">): Promise<void> {
    try {
      const granted = await this.#leading.renew(node, asked);
      this.#answer(ref, { granted } satisfies Renewed);
    } catch (error) {
      this.#answer(ref, failure(toErrorData(error)));
    }
  }

  #tell({ node, message }: EffectOf<"tell">): void {
    try {
      this.#options.system.send({ name: agentName, node }, message);
    } catch (error) {
      this.#options.log.warn(
        { peer: node, reason: toErrorData(error).message },
        "a message to a node was refused",
      );
    }
  }

  #observe({ type, ...data }: Observation): void {
    const { node: peer, incarnation, reason, evidence } = data;
    const said = { peer, incarnation, reason, evidence };
    const { log } = this.#options;
    if (type === "NodeTrusted") log.info(said, "a node is trusted again");
    else log.warn(said, type === "NodeLost" ? "a node is down" : "a node is suspect");
    this.#leading.observe(type, { ...data, evidence: [...evidence] });
  }

  /** Who does not answer has nothing to say. */
  #askOpinions({ ref, about, of }: EffectOf<"askOpinions">): void {
    const { system } = this.#options;
    const question: ToObserver = { type: "opinion", about };
    for (const from of of) {
      system
        .call<Opinion>({ name: observerName, node: from }, question, { timeoutMs: opinionMs })
        .then(({ ageMs }) => this.#core.opinion({ ref, about, from, ageMs }, performance.now()))
        .catch(() => undefined);
    }
  }
}
