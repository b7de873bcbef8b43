import type { ActorSystem } from "@halon/actor";
import type { AskedLease } from "@halon/coordinator";
import { HalonError, toErrorData } from "@halon/protocol";
import { monotonicMs, type Runtime } from "@halon/service/host";
import type { Logger } from "pino";
import { type Renew, type Renewed, trackerName } from "./messages.ts";

const renewEveryMs = 500;
/** As long as a lease: what is answered later is of no use. */
const renewTimeoutMs = 2_000;
/** Renewals under way: one each interval until its deadline, and some that were asked for at once. */
const underWayMax = 6;
/** A start is not begun with less than this share of its lease. */
const startShare = 0.5;

export interface LeaseRenewerOptions {
  readonly name: string;
  readonly system: Pick<ActorSystem, "call">;
  readonly runtime: Pick<Runtime, "leased" | "renew">;
  readonly log: Pick<Logger, "debug" | "warn">;
  /** The node whose coordinator has taken this one in. */
  leader(): string | undefined;
}

interface Lease extends AskedLease {
  readonly leaseMs: number;
}

/** An instance that is to start when its lease is granted. */
interface Wanted extends Lease {
  readonly granted: () => void;
  readonly refused: (error: HalonError) => void;
  readonly late: NodeJS.Timeout;
}

/**
 * Asks the leader to renew the leases of the exclusive instances of this node (rfc/0008).
 *
 * A lease counts from when it was asked for, on the machine's monotonic clock. Nothing is renewed without a leader, and
 * what is not renewed ends.
 */
export class LeaseRenewer {
  readonly #options: LeaseRenewerOptions;
  readonly #wanted = new Map<string, Wanted>();
  readonly #timer: NodeJS.Timeout;
  #underWay = 0;
  #isAsked = false;
  #isClosed = false;

  constructor(options: LeaseRenewerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#renew(), renewEveryMs);
  }

  /**
   * Resolves when the runtime has a lease for the start of the instance.
   *
   * Errors: HAL_CONFLICT when the leader does not grant it, or nobody does within `timeoutMs`, or it was given up.
   */
  acquire(lease: Lease, timeoutMs: number): Promise<void> {
    const { instance } = lease;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        const message = `No leader has granted the lease of ${instance} within ${timeoutMs} ms.`;
        this.#take(instance)?.refused(new HalonError("HAL_CONFLICT", message));
      }, timeoutMs);
      this.giveUp(instance);
      this.#wanted.set(instance, { ...lease, granted: resolve, refused: reject, late });
      this.renewSoon();
    });
  }

  /** The start of the instance is not wanted any more. */
  giveUp(instance: string): void {
    const message = `The start of ${instance} was given up before its lease was granted.`;
    this.#take(instance)?.refused(new HalonError("HAL_CONFLICT", message));
  }

  /** Renews at the end of this turn of the event loop: a new leader, or another instance. */
  renewSoon(): void {
    if (this.#isAsked || this.#isClosed) return;
    this.#isAsked = true;
    setImmediate(() => {
      this.#isAsked = false;
      void this.#renew();
    });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const instance of [...this.#wanted.keys()]) this.giveUp(instance);
  }

  async #renew(): Promise<void> {
    const { name, system, runtime, log } = this.#options;
    const leader = this.#options.leader();
    const leases: readonly Lease[] = [...runtime.leased(), ...this.#wanted.values()];
    if (leader === undefined || leases.length === 0 || this.#isClosed) return;
    if (this.#underWay >= underWayMax) return;
    this.#underWay += 1;
    const asked = leases.map(({ instance, token }) => ({ instance, token }));
    const message: Renew = { type: "renew", node: name, asked };
    // Before it is sent: the lease counts from here.
    const sentAt = monotonicMs();
    try {
      const to = { name: trackerName, node: leader };
      const { granted } = await system.call<Renewed>(to, message, { timeoutMs: renewTimeoutMs });
      this.#takeAnswer(leases, new Set(granted), sentAt);
    } catch (error) {
      // The next one is due soon; without one the leases end.
      log.debug({ leader, reason: toErrorData(error).message }, "no lease was renewed");
    } finally {
      this.#underWay -= 1;
    }
  }

  #takeAnswer(leases: readonly Lease[], granted: ReadonlySet<string>, sentAt: number): void {
    for (const { instance, leaseMs } of leases) {
      const wanted = this.#wanted.get(instance);
      if (granted.has(instance)) {
        const untilMs = sentAt + leaseMs;
        this.#options.runtime.renew(instance, untilMs);
        if (untilMs - monotonicMs() >= leaseMs * startShare) this.#take(instance)?.granted();
        else if (wanted !== undefined) this.renewSoon();
        continue;
      }
      this.#options.log.warn({ instance }, "the leader does not renew a lease");
      const message = `The leader does not grant the lease of ${instance}: it is not to run here.`;
      if (wanted !== undefined)
        this.#take(instance)?.refused(new HalonError("HAL_CONFLICT", message));
    }
  }

  #take(instance: string): Wanted | undefined {
    const wanted = this.#wanted.get(instance);
    clearTimeout(wanted?.late);
    this.#wanted.delete(instance);
    return wanted;
  }
}
