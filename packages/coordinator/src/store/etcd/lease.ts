import { setTimeout as delay } from "node:timers/promises";
import { isFault } from "./fault.ts";
import type { Gateway } from "./gateway.ts";
import { grantAnswer, keepAliveAnswer, revokeAnswer } from "./ops.ts";

const leaseSeconds = 2;
const keepAliveMs = 500;
/** A lease counts as over this long before it can end at etcd. */
const marginMs = 500;
const revokeMs = 5_000;

/** A lease that is kept alive until it is over. */
export class Lease {
  readonly id: string;
  /** How long it may stay unconfirmed, counted from the sending of what was confirmed. */
  readonly #unconfirmedMs: number;
  readonly #gateway: Gateway;
  readonly #onOver: (reason: string) => void;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    gateway: Gateway,
    id: string,
    unconfirmedMs: number,
    onOver: (reason: string) => void,
  ) {
    this.#gateway = gateway;
    this.id = id;
    this.#unconfirmedMs = unconfirmedMs;
    this.#onOver = onOver;
  }

  /** `onOver` is called once, unless the lease is given back before. */
  static async grant(gateway: Gateway, onOver: (reason: string) => void): Promise<Lease> {
    const sentAt = performance.now();
    const { ID, TTL } = await gateway.call("lease/grant", { TTL: leaseSeconds }, grantAnswer);
    // etcd grants more when its elections take longer.
    const lease = new Lease(gateway, ID, TTL * 1_000 - marginMs, onOver);
    lease.#confirmed(sentAt);
    void lease.#keep();
    return lease;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Stops keeping it and tells etcd, so that nobody waits for its end. Resolves when etcd knows or is not there. */
  async giveBack(): Promise<void> {
    this.#stop();
    const end = performance.now() + revokeMs;
    await this.#gateway
      .retry(
        () => this.#gateway.call("lease/revoke", { ID: this.id }, revokeAnswer),
        () => performance.now() < end,
      )
      // Ends by itself soon, or has ended.
      .catch(() => undefined);
  }

  async #keep(): Promise<void> {
    while (!this.#isOver) {
      const sentAt = performance.now();
      try {
        const answer = await this.#gateway.call(
          "lease/keepalive",
          { ID: this.id },
          keepAliveAnswer,
          keepAliveMs,
        );
        if (answer.result.TTL <= 0) return this.#over("its lease in etcd has ended");
        this.#confirmed(sentAt);
      } catch (error) {
        if (isFault(error, "noLease")) return this.#over("its lease in etcd has ended");
        if (isFault(error, "ended")) return this.#stop();
        // Anything else may pass; the timer ends the waiting.
        await delay(50);
        continue;
      }
      await delay(Math.max(0, sentAt + keepAliveMs - performance.now()), undefined, { ref: false });
    }
  }

  #confirmed(sentAt: number): void {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    const leftMs = sentAt + this.#unconfirmedMs - performance.now();
    const reason = `etcd has not confirmed the lease for ${this.#unconfirmedMs} ms`;
    this.#timer = setTimeout(() => this.#over(reason), Math.max(0, leftMs));
  }

  #over(reason: string): void {
    if (this.#isOver) return;
    this.#stop();
    this.#onOver(reason);
  }

  #stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
