import type { ActorSystem } from "@halon/actor";
import type { HistoryQuery } from "@halon/coordinator";
import { type EventEntry, HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import {
  type FollowEffect,
  LeaderSearch,
  LogFollower,
  lookEveryMs,
  type ReplicaDelta,
  type SearchEffect,
} from "./core/index.ts";
import type { LeaderLinks } from "./links.ts";
import { bulk, type HistoryAnswer, historyName } from "./messages.ts";
import type { Replica } from "./replica.ts";

const askTimeoutMs = 1_000;
const historyTimeoutMs = 10_000;

export interface SatelliteOptions {
  readonly system: ActorSystem;
  readonly replica: Replica;
  readonly links: LeaderLinks;
  readonly log: Logger;
  /** `host:port` of nodes that may know who leads. */
  candidates(): readonly string[];
}

/** A satellite's part: finds out who leads, and follows its log, as its cores decide. */
export class Satellite {
  readonly #options: SatelliteOptions;
  readonly #search = new LeaderSearch();
  readonly #follower = new LogFollower();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SatelliteOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), lookEveryMs);
    this.#look();
  }

  /** The node that it is linked to does not lead: asks for another until one has taken this node in. */
  refused(): void {
    this.#search.refused();
  }

  /** A leader has taken this node in; its replica has the record `index`. */
  attached(index: number): void {
    this.#search.attached();
    this.#follow(this.#follower.attached(index, this.#options.replica.index, this.#isLinked));
  }

  /** Takes a delta of the log, or fetches the whole graph when one is missing. */
  follow(delta: ReplicaDelta): void {
    this.#follow(this.#follower.delta(delta));
  }

  async history(query: HistoryQuery): Promise<readonly EventEntry[]> {
    const { system, links } = this.#options;
    if (links.peer === undefined)
      throw new HalonError("HAL_NO_LEADER", "No leader can be reached. Try again.");
    return system.call<HistoryAnswer>(
      { name: historyName, node: links.peer },
      { type: "history", query },
      { timeoutMs: historyTimeoutMs },
    );
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get #isLinked(): boolean {
    return this.#options.links.peer !== undefined;
  }

  #look(): void {
    this.#perform(this.#search.look(this.#options.candidates(), this.#isLinked));
  }

  #perform(effects: readonly SearchEffect[]): void {
    for (const { type, address } of effects) {
      if (type === "ask") void this.#ask(address);
      else this.#options.links.follow(address);
    }
  }

  async #ask(address: string): Promise<void> {
    const named = await leaderOf(address);
    this.#perform(this.#search.answered(address, named, this.#isLinked));
  }

  #follow(effects: readonly FollowEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "fetch") void this.#fetch();
      else if (effect.type === "arm")
        setTimeout(() => this.#follow(this.#follower.due(this.#isLinked)), effect.inMs);
      else if (!this.#options.replica.apply(effect.delta))
        this.#follow(this.#follower.missed(effect.delta, this.#isLinked));
    }
  }

  async #fetch(): Promise<void> {
    const { system, replica, log, links } = this.#options;
    try {
      if (links.peer === undefined) throw new HalonError("HAL_NO_LEADER", "the link is down");
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of system.requestBulk(links.peer, bulk.replica, {})) {
        text += decoder.decode(chunk, { stream: true });
      }
      const { index, epoch, graph } = JSON.parse(text + decoder.decode());
      replica.reset(graph, index, epoch);
      this.#follow(this.#follower.fetched());
    } catch (error) {
      log.debug({ reason: toErrorData(error).message }, "could not fetch the graph, trying again");
      this.#follow(this.#follower.notFetched());
    }
  }
}

async function leaderOf(address: string): Promise<string | null> {
  try {
    const response = await fetch(`http://${address}/id`, {
      signal: AbortSignal.timeout(askTimeoutMs),
      redirect: "error",
    });
    if (!response.ok || Number(response.headers.get("content-length") ?? 0) > 65_536) return null;
    const { leaderEndpoint } = (await response.json()) as { leaderEndpoint?: unknown };
    return typeof leaderEndpoint === "string" && /^[^\s/]{1,255}:\d{1,5}$/.test(leaderEndpoint)
      ? leaderEndpoint
      : null;
  } catch {
    // Not there yet, or not a node: asked again.
    return null;
  }
}
