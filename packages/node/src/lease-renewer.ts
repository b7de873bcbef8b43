import type { ActorSystem } from "@halon/actor";
import { HalonError, toErrorData } from "@halon/protocol";
import { monotonicMs, type Runtime } from "@halon/service/host";
import type { Logger } from "pino";
import {
  type Lease,
  type LeaseEffect,
  LeaseRenewals,
  type Renew,
  type Renewed,
  renewEveryMs,
  renewTimeoutMs,
} from "./core/index.ts";
import { trackerName } from "./messages.ts";

export interface LeaseRenewerOptions {
  readonly name: string;
  readonly system: Pick<ActorSystem, "call">;
  readonly runtime: Pick<Runtime, "leased" | "renew">;
  readonly log: Pick<Logger, "debug" | "warn">;
  /** The node whose coordinator has taken this one in. */
  leader(): string | undefined;
}

/** Who waits for the lease of an instance. */
interface Waiting {
  readonly granted: () => void;
  readonly refused: (error: HalonError) => void;
}

/** Asks the leader to renew the leases of the exclusive instances of this node, as its core decides (rfc/0008). */
export class LeaseRenewer {
  readonly #options: LeaseRenewerOptions;
  readonly #core = new LeaseRenewals();
  readonly #waiting = new Map<string, Waiting>();
  readonly #armed = new Map<string, NodeJS.Timeout>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: LeaseRenewerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#renew(), renewEveryMs);
  }

  /**
   * Resolves when the runtime has a lease for the start of the instance.
   *
   * Errors: HAL_CONFLICT when the leader does not grant it, or nobody does within `timeoutMs`, or it was given up.
   */
  acquire(lease: Lease, timeoutMs: number): Promise<void> {
    const { instance } = lease;
    return new Promise((granted, refused) => {
      // Refuses who waited for it before.
      this.#run(this.#core.acquire(lease, timeoutMs));
      this.#waiting.set(instance, { granted, refused });
    });
  }

  /** The start of the instance is not wanted any more. */
  giveUp(instance: string): void {
    this.#run(this.#core.giveUp(instance));
  }

  /** Renews at the end of this turn of the event loop: a new leader, or another instance. */
  renewSoon(): void {
    this.#run(this.#core.renewSoon());
  }

  close(): void {
    clearInterval(this.#timer);
    this.#run(this.#core.close());
  }

  #renew(): void {
    const { runtime, leader } = this.#options;
    // Before anything is sent: the lease counts from here.
    const now = monotonicMs();
    this.#run(this.#core.renew({ leader: leader(), leased: runtime.leased(), now }));
  }

  #run(effects: readonly LeaseEffect[]): void {
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: LeaseEffect): void {
    const { runtime, log } = this.#options;
    switch (effect.type) {
      case "soon":
        setImmediate(() => this.#renew());
        return;
      case "ask":
        void this.#ask(effect);
        return;
      case "renewed":
        runtime.renew(effect.instance, effect.untilMs);
        return;
      case "granted":
        this.#take(effect.instance)?.granted();
        return;
      case "refused": {
        const { code, message } = effect.refusal;
        this.#take(effect.instance)?.refused(new HalonError(code, message));
        return;
      }
      case "notRenewed":
        log.warn({ instance: effect.instance }, "the leader does not renew a lease");
        return;
      case "arm": {
        const { key, inMs } = effect;
        clearTimeout(this.#armed.get(key));
        const late = setTimeout(() => this.#run(this.#core.due(key)), inMs);
        this.#armed.set(key, late);
        return;
      }
      case "disarm":
        clearTimeout(this.#armed.get(effect.key));
        this.#armed.delete(effect.key);
        return;
    }
  }

  async #ask({ ref, leader, asked }: Extract<LeaseEffect, { type: "ask" }>): Promise<void> {
    const { name, system, log } = this.#options;
    const message: Renew = { type: "renew", node: name, asked };
    const to = { name: trackerName, node: leader };
    try {
      const { granted } = await system.call<Renewed>(to, message, { timeoutMs: renewTimeoutMs });
      this.#run(this.#core.answered(ref, granted, monotonicMs()));
    } catch (error) {
      log.debug({ leader, reason: toErrorData(error).message }, "no lease was renewed");
      this.#run(this.#core.failed(ref));
    }
  }

  #take(instance: string): Waiting | undefined {
    const waiting = this.#waiting.get(instance);
    this.#waiting.delete(instance);
    return waiting;
  }
}
