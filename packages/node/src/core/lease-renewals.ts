import type { AskedLease, Refusal } from "./agent-messages.ts";

/** The driver calls `renew` so often, in ms. */
export const renewEveryMs = 500;
/** As long as a lease: what is answered later is of no use. */
export const renewTimeoutMs = 2_000;
/** Renewals under way: one each interval until its deadline, and some that were asked for at once. */
const underWayMax = 6;
/** A start is not begun with less than this share of its lease. */
const startShare = 0.5;

/** The lease of one exclusive instance. */
export interface Lease extends AskedLease {
  readonly leaseMs: number;
}

/** What the driver of the renewals has to do. */
export type LeaseEffect =
  /** Call `renew` at the end of this turn. */
  | { readonly type: "soon" }
  /** Ask the leader's tracker, with a deadline of `renewTimeoutMs`; ends as `answered` or `failed`. */
  | {
      readonly type: "ask";
      readonly ref: number;
      readonly leader: string;
      readonly asked: readonly AskedLease[];
    }
  /** The site may run the instance until then. */
  | { readonly type: "renewed"; readonly instance: string; readonly untilMs: number }
  /** The instance may start: what `acquire` asked for. */
  | { readonly type: "granted"; readonly instance: string }
  /** The instance must not start. */
  | { readonly type: "refused"; readonly instance: string; readonly refusal: Refusal }
  /** Give `due` with the key, the instance, after so long; what was armed under the key is disarmed. */
  | { readonly type: "arm"; readonly key: string; readonly inMs: number }
  | { readonly type: "disarm"; readonly key: string }
  /** For people: the leader does not let it go on. */
  | { readonly type: "notRenewed"; readonly instance: string };

/** What was asked for, and when: leases count from there. */
interface Renewal {
  readonly leases: readonly Lease[];
  readonly sentAt: number;
}

/**
 * Decides when a node asks for the leases of its exclusive instances, and what an answer gives (rfc/0008).
 *
 * A lease counts from when it was asked for. Nothing is renewed without a leader, and what is not renewed ends. `now` is
 * the machine's monotonic clock, in ms: the one by which leases end.
 */
export class LeaseRenewals {
  /** Leases of instances that are to start when they are granted. */
  readonly #wanted = new Map<string, Lease & { readonly timeoutMs: number }>();
  readonly #underWay = new Map<number, Renewal>();
  #lastRef = 0;
  #isSoon = false;
  #isClosed = false;

  /** The start of an instance waits for its lease; ends as `granted` or `refused`. An earlier wish for it is given up. */
  acquire(lease: Lease, timeoutMs: number): readonly LeaseEffect[] {
    const { instance } = lease;
    const before = this.giveUp(instance);
    this.#wanted.set(instance, { ...lease, timeoutMs });
    return [...before, { type: "arm", key: instance, inMs: timeoutMs }, ...this.renewSoon()];
  }

  /** The start of the instance is not wanted any more. */
  giveUp(instance: string): readonly LeaseEffect[] {
    const message = `The start of ${instance} was given up before its lease was granted.`;
    return this.#refuse(instance, message);
  }

  /** There is a new leader, or another instance. */
  renewSoon(): readonly LeaseEffect[] {
    if (this.#isSoon || this.#isClosed) return [];
    this.#isSoon = true;
    return [{ type: "soon" }];
  }

  /**
   * The interval has passed, or what `soon` announced has come.
   *
   * `leader` has taken this node in; `leased` is what runs here, waits to start or ends, as the site has it.
   */
  renew(around: {
    readonly leader: string | undefined;
    readonly leased: readonly Lease[];
    readonly now: number;
  }): readonly LeaseEffect[] {
    this.#isSoon = false;
    const { leader, leased, now: sentAt } = around;
    const leases = [...leased, ...this.#wanted.values()];
    if (leader === undefined || leases.length === 0 || this.#isClosed) return [];
    if (this.#underWay.size >= underWayMax) return [];
    this.#lastRef += 1;
    this.#underWay.set(this.#lastRef, { leases, sentAt });
    const asked = leases.map(({ instance, token }) => ({ instance, token }));
    return [{ type: "ask", ref: this.#lastRef, leader, asked }];
  }

  answered(ref: number, granted: readonly string[], now: number): readonly LeaseEffect[] {
    const renewal = this.#underWay.get(ref);
    if (renewal === undefined) return [];
    this.#underWay.delete(ref);
    const all = new Set(granted);
    return renewal.leases.flatMap((lease) =>
      all.has(lease.instance)
        ? this.#renewed(lease, renewal.sentAt, now)
        : this.#notRenewed(lease.instance),
    );
  }

  /** Nobody answered in time, or the one asked does not lead. The next renewal is due soon; without one the leases end. */
  failed(ref: number): readonly LeaseEffect[] {
    this.#underWay.delete(ref);
    return [];
  }

  /** The start of the instance has waited for its lease as long as it may. */
  due(instance: string): readonly LeaseEffect[] {
    const timeoutMs = this.#wanted.get(instance)?.timeoutMs;
    const message = `No leader has granted the lease of ${instance} within ${timeoutMs} ms.`;
    return this.#refuse(instance, message);
  }

  /** Gives up every start that waits, and asks for nothing any more. */
  close(): readonly LeaseEffect[] {
    this.#isClosed = true;
    return [...this.#wanted.keys()].flatMap((instance) => this.giveUp(instance));
  }

  #renewed({ instance, leaseMs }: Lease, sentAt: number, now: number): readonly LeaseEffect[] {
    const untilMs = sentAt + leaseMs;
    const renewed = { type: "renewed", instance, untilMs } as const;
    if (!this.#wanted.has(instance)) return [renewed];
    if (untilMs - now < leaseMs * startShare) return [renewed, ...this.renewSoon()];
    this.#wanted.delete(instance);
    return [renewed, { type: "disarm", key: instance }, { type: "granted", instance }];
  }

  #notRenewed(instance: string): readonly LeaseEffect[] {
    const message = `The leader does not grant the lease of ${instance}: it is not to run here.`;
    return [{ type: "notRenewed", instance }, ...this.#refuse(instance, message)];
  }

  /** Of an instance whose start waits. */
  #refuse(instance: string, message: string): readonly LeaseEffect[] {
    if (!this.#wanted.delete(instance)) return [];
    const refusal: Refusal = { code: "HAL_CONFLICT", message };
    return [
      { type: "disarm", key: instance },
      { type: "refused", instance, refusal },
    ];
  }
}
