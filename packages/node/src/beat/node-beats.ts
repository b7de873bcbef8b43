import type { ActorSystem } from "@halon/actor";
import { EventEmitter } from "eventemitter3";
import type { Logger } from "pino";
import { beatPlanOf, opinionAgeMs } from "../core/index.ts";
import type { Identity } from "../identity.ts";
import { type Opinion, observerName, type ToObserver } from "../messages.ts";
import type { Replica } from "../replica.ts";
import type { Arrival } from "./arrival.ts";
import { type BeatEvents, type Beats, startBeats } from "./host.ts";
import { createProgress, type ProgressPart, turn } from "./progress.ts";

/** Peers follow the graph at most so late. */
const followMs = 100;

export interface NodeBeatsOptions {
  readonly identity: Pick<Identity, "name" | "incarnation" | "clusterId"> & {
    readonly setup: Pick<Identity["setup"], "listen">;
  };
  readonly system: ActorSystem;
  readonly replica: Replica;
  readonly log: Logger;
  /** Name of the node that has taken this one in. */
  leader(): string | undefined;
}

/** What the tracker is told, and asks, of the beats that come in here. */
export interface HeardBeats {
  readonly events: EventEmitter<BeatEvents>;
  /** Who gets the beats of each node besides the leader. */
  readonly observers: ReadonlyMap<string, readonly string[]>;
  last(node: string): Arrival | undefined;
  /** How late this node is in seeing beats, in ms. */
  lateMs(): number;
}

/** A node's beats: to whom they go as the graph has it, and what this node can say of others by theirs. */
export class NodeBeats implements HeardBeats {
  readonly events = new EventEmitter<BeatEvents>();
  readonly #options: NodeBeatsOptions;
  readonly #progress = createProgress();
  readonly #changed = (): void => this.#followSoon();
  #beats: Beats | undefined;
  #observers: ReadonlyMap<string, readonly string[]> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #lateAt = -Infinity;

  constructor(options: NodeBeatsOptions) {
    this.#options = options;
    const receive = (message: unknown): Promise<Opinion> =>
      this.#opinionOf((message as ToObserver).about);
    options.system.spawn(() => ({ receive }), { name: observerName, mailboxMax: 10_000 });
    options.replica.events.on("changed", this.#changed);
  }

  /** Starts the thread. Before, nothing is heard, and this node is judged by its link. */
  begin(): void {
    const { identity, log } = this.#options;
    const { name: node, incarnation, clusterId, setup } = identity;
    const { listen } = setup;
    const progress = this.#progress;
    this.#beats = startBeats({ node, incarnation, clusterId, listen, progress, log });
    this.#beats.events.on("heard", (arrivals) => this.events.emit("heard", arrivals));
    this.#beats.events.on("late", (ms) => {
      this.#lateAt = performance.now();
      this.events.emit("late", ms);
    });
    this.follow();
  }

  get observers(): ReadonlyMap<string, readonly string[]> {
    return this.#observers;
  }

  last(node: string): Arrival | undefined {
    return this.#beats?.last(node);
  }

  lateMs(): number {
    return this.#beats?.lateMs() ?? 0;
  }

  /** A part of this node has turned once more. */
  turned(part: ProgressPart): void {
    turn(this.#progress, part);
  }

  /** Beats to those who are to hear this node now: to the leader and its watchers; leading, to all. */
  follow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { identity, replica, leader } = this.#options;
    const { targets, known, observers } = beatPlanOf(replica.view, identity.name, leader());
    this.#observers = observers;
    this.#beats?.setPeers({ targets: targets.map(({ address }) => address), nodes: known });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#options.replica.events.off("changed", this.#changed);
    await this.#beats?.close();
  }

  /** A graph that changes often is looked at once in a while. */
  #followSoon(): void {
    this.#timer ??= setTimeout(() => this.follow(), followMs);
  }

  /** Of itself a node says that it answers; of another what its beats say, if it could hear them at all. */
  async #opinionOf(about: string): Promise<Opinion> {
    if (about === this.#options.identity.name) return { ageMs: 0 };
    const isFresh = await this.#beats?.refresh();
    const arrival = this.last(about);
    if (isFresh !== true || arrival === undefined) return { ageMs: null };
    const sight = { heardAt: arrival.at, lateAt: this.#lateAt };
    return { ageMs: opinionAgeMs(sight, performance.now()) };
  }
}
