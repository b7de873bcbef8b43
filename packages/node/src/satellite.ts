import type { ActorSystem } from "@halon/actor";
import type { HistoryQuery } from "@halon/coordinator";
import { type EventEntry, HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { chooseLeader } from "./core/index.ts";
import type { LeaderLinks } from "./links.ts";
import { bulk, type HistoryAnswer, historyName } from "./messages.ts";
import type { Replica, ReplicaDelta } from "./replica.ts";

const askEveryMs = 100;
const askTimeoutMs = 1_000;
const historyTimeoutMs = 10_000;
const fetchRetryMs = 250;

export interface SatelliteOptions {
  readonly system: ActorSystem;
  readonly replica: Replica;
  readonly links: LeaderLinks;
  readonly log: Logger;
  /** `host:port` of nodes that may know who leads. */
  candidates(): readonly string[];
}

/** A satellite's part: finds out who leads, and follows its log. */
export class Satellite {
  readonly #options: SatelliteOptions;
  /** The last answers of the nodes that were asked. */
  readonly #answers = new Map<string, string | null>();
  readonly #asked = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #isLooking = true;
  #isFetching = false;
  #waiting: ReplicaDelta[] = [];

  constructor(options: SatelliteOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), askEveryMs);
    this.#look();
  }

  /** The node that it is linked to does not lead: asks for another until one has taken this node in. */
  refused(): void {
    this.#isLooking = true;
  }

  /** A leader has taken this node in; its replica has the record `index`. */
  attached(index: number): void {
    this.#isLooking = false;
    this.#answers.clear();
    if (this.#options.replica.index !== index) void this.#fetch();
  }

  /** Takes a delta of the log, or fetches the whole graph when one is missing. */
  follow(delta: ReplicaDelta): void {
    if (this.#isFetching) this.#waiting.push(delta);
    else if (!this.#options.replica.apply(delta)) void this.#fetch();
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

  /** Asks whoever is not being asked already, so that one that hangs holds up nobody. */
  #look(): void {
    if (this.#options.links.peer !== undefined && !this.#isLooking) return;
    for (const candidate of new Set(this.#options.candidates())) {
      if (!this.#asked.has(candidate)) void this.#ask(candidate);
    }
  }

  async #ask(candidate: string): Promise<void> {
    this.#asked.add(candidate);
    const named = await leaderOf(candidate);
    this.#asked.delete(candidate);
    this.#answers.set(candidate, named);
    const { links } = this.#options;
    if (links.peer !== undefined && !this.#isLooking) return;
    const leader = chooseLeader(this.#answers);
    if (leader !== null) links.follow(leader);
  }

  /** Fetches the whole graph; deltas that arrive meanwhile are applied after it. */
  async #fetch(): Promise<void> {
    const { system, replica, log, links } = this.#options;
    if (this.#isFetching || links.peer === undefined) return;
    this.#isFetching = true;
    try {
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of system.requestBulk(links.peer, bulk.replica, {})) {
        text += decoder.decode(chunk, { stream: true });
      }
      const { index, epoch, graph } = JSON.parse(text + decoder.decode());
      replica.reset(graph, index, epoch);
      this.#isFetching = false;
      for (const delta of this.#waiting.splice(0)) this.follow(delta);
    } catch (error) {
      this.#isFetching = false;
      this.#waiting = [];
      log.debug({ reason: toErrorData(error).message }, "could not fetch the graph, trying again");
      setTimeout(() => void this.#fetch(), fetchRetryMs);
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
