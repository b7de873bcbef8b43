import {
  beginDiscovery,
  type Discovery,
  type Gossip,
  type GossipAnswer,
  gossipOf,
  gossipWaitMs,
  hear,
  isComplete,
} from "./core/gossip.ts";
import { callGossip } from "./peer-call.ts";

/** What the search for an agency has found. */
export type Found =
  /** All members of a new agency agree on each other. */
  | { readonly type: "complete"; readonly pool: Readonly<Record<string, string>> }
  /** An agency that exists has let this process in. */
  | {
      readonly type: "admitted";
      readonly pool: Readonly<Record<string, string>>;
      readonly cluster: string;
    };

/** What the search needs of its member. */
export interface DiscoveryPort {
  readonly id: string;
  readonly endpoint: string;
  readonly size: number;
  /** What an earlier start had learned. */
  readonly pool: Readonly<Record<string, string>>;
  readonly join: readonly string[];
  /** Keeps the pool durably before it returns, as others count on it then; false when it could not. */
  onPool(pool: Readonly<Record<string, string>>): boolean;
  /** Why it does not go on, or null when it does again. */
  onReason(reason: string | null): void;
  onFound(found: Found): void;
}

/** Finds the other members by gossip, from any connected graph of addresses. */
export class Search {
  readonly #port: DiscoveryPort;
  #discovery: Discovery;
  #round = 0;
  #isOver = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(port: DiscoveryPort) {
    this.#port = port;
    const { id, endpoint, size, pool } = port;
    this.#discovery = { ...beginDiscovery(id, endpoint, size), pool: { ...pool, [id]: endpoint } };
    this.#timer = setTimeout(() => this.#begin(), 0);
  }

  get pool(): Readonly<Record<string, string>> {
    return this.#discovery.pool;
  }

  /** Answers a process that gossips. */
  answer(message: Gossip): GossipAnswer {
    if (message.cluster !== null) {
      this.#hearComplete(message);
    } else {
      const refusal = this.#hear(message);
      if (refusal !== null) return { type: "refused", message: `${refusal}.`, removed: false };
    }
    return { type: "gossip", gossip: gossipOf(this.#discovery, null) };
  }

  close(): void {
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #begin(): void {
    this.#lookWhetherComplete();
    if (!this.#isOver) this.#callAll();
  }

  #callAll(): void {
    const { join, endpoint } = this.#port;
    const addresses = new Set([...join, ...Object.values(this.#discovery.pool)]);
    addresses.delete(endpoint);
    for (const address of addresses) void this.#call(address);
    this.#callLater(gossipWaitMs(this.#round));
    this.#round += 1;
  }

  #callLater(waitMs: number): void {
    if (this.#isOver) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#callAll(), waitMs);
  }

  async #call(address: string): Promise<void> {
    let answer: GossipAnswer;
    try {
      answer = await callGossip(address, gossipOf(this.#discovery, null));
    } catch {
      // It may not have started yet; the next round asks again.
      return;
    }
    if (this.#isOver) return;
    if (answer.type === "refused") this.#port.onReason(answer.message);
    else if (answer.gossip.cluster !== null) this.#hearComplete(answer.gossip);
    else this.#hear(answer.gossip);
  }

  /** Gives why the two are not of one agency, or null. */
  #hear(gossip: Gossip): string | null {
    const { discovery, isNews, refusal } = hear(this.#discovery, gossip);
    this.#port.onReason(refusal);
    if (refusal !== null) return refusal;
    if (isNews && !this.#port.onPool(discovery.pool)) return "this member cannot write to its disk";
    this.#discovery = discovery;
    this.#lookWhetherComplete();
    if (isNews && !this.#isOver) {
      this.#round = 0;
      this.#callLater(0);
    }
    return null;
  }

  #hearComplete({ pool, cluster }: Gossip): void {
    if (this.#isOver || cluster === null || !Object.hasOwn(pool, this.#port.id)) return;
    this.#finish({ type: "admitted", pool, cluster });
  }

  #lookWhetherComplete(): void {
    const { size, join } = this.#port;
    // Whoever was told to join others is not an agency of its own.
    if (this.#isOver || (size === 1 && join.length > 0)) return;
    if (isComplete(this.#discovery)) {
      this.#finish({ type: "complete", pool: this.#discovery.pool });
    }
  }

  #finish(found: Found): void {
    this.close();
    this.#port.onFound(found);
  }
}
