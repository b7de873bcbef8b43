import type { ActorSystem, Hello } from "@halon/actor";
import type { HistoryQuery } from "@halon/coordinator";
import { type EventEntry, HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { keepLinks, type OwnHello } from "./links.ts";
import { bulk, type HistoryAnswer, trackerName } from "./messages.ts";
import type { Replica, ReplicaDelta } from "./replica.ts";

const findEveryMs = 500;
const askTimeoutMs = 1_000;
const historyTimeoutMs = 10_000;
const fetchRetryMs = 250;

export interface SatelliteOptions {
  readonly system: ActorSystem;
  readonly replica: Replica;
  readonly log: Logger;
  /** `host:port` of nodes that may know the tracking node. */
  readonly join: readonly string[];
  /** The tracking node as last known. */
  readonly leader: string | null;
  hello(): OwnHello;
  connected(peer: Hello): void;
  disconnected(): void;
}

/** A satellite's part: finds the tracking node, keeps the links to it, follows its log. */
export class Satellite {
  readonly #options: SatelliteOptions;
  #address: string | null = null;
  #leader: string | undefined;
  #links: { close(): void } | undefined;
  #isFetching = false;
  #isClosed = false;
  #waiting: ReplicaDelta[] = [];

  constructor(options: SatelliteOptions) {
    this.#options = options;
    void this.#find();
  }

  /** `host:port` of the tracking node, when it is known. */
  get address(): string | null {
    return this.#address;
  }

  /** Name of the tracking node while it is connected. */
  get leader(): string | undefined {
    return this.#leader;
  }

  /** Takes a delta of the log, or fetches the whole graph when one is missing. */
  follow(delta: ReplicaDelta): void {
    if (this.#isFetching) this.#waiting.push(delta);
    else if (!this.#options.replica.apply(delta)) void this.fetch();
  }

  /** Fetches the whole graph; deltas that arrive meanwhile are applied after it. */
  async fetch(): Promise<void> {
    if (this.#isFetching || this.#leader === undefined) return;
    this.#isFetching = true;
    const { system, replica, log } = this.#options;
    try {
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of system.requestBulk(this.#leader, bulk.replica, {})) {
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
      if (!this.#isClosed) setTimeout(() => void this.fetch(), fetchRetryMs);
    }
  }

  async history(query: HistoryQuery): Promise<readonly EventEntry[]> {
    if (this.#leader === undefined)
      throw new HalonError("HAL_NO_LEADER", "The tracking node cannot be reached. Try again.");
    return this.#options.system.call<HistoryAnswer>(
      { name: trackerName, node: this.#leader },
      { type: "history", query },
      { timeoutMs: historyTimeoutMs },
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#links?.close();
  }

  /** Asks the nodes that are known, again and again, who the tracking node is. */
  async #find(): Promise<void> {
    while (!this.#isClosed && this.#address === null) {
      for (const candidate of [
        ...this.#options.join,
        ...(this.#options.leader === null ? [] : [this.#options.leader]),
      ]) {
        this.#address = await leaderOf(candidate);
        if (this.#address !== null) break;
      }
      if (this.#address === null) await new Promise((resolve) => setTimeout(resolve, findEveryMs));
    }
    if (!this.#isClosed) this.#connect();
  }

  #connect(): void {
    const { system, log, hello } = this.#options;
    this.#links = keepLinks({
      system,
      log,
      hello,
      address: () => this.#address ?? "",
      up: (peer) => {
        this.#leader = peer.node;
        this.#options.connected(peer);
        void this.fetch();
      },
      down: () => {
        this.#leader = undefined;
        this.#options.disconnected();
      },
    });
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
