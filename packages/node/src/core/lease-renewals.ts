import type { AskedLease, Refusal } from "./agent-messages.ts";

/** The driver calls `renew` so often, in ms. */
export const renewEveryMs = 500;
/** As long as a lease: what is answered later is of no use. */
export const renewTimeoutMs = 2_000;

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

/**
 * Decides when a node asks for the leases of its exclusive instances, and what an answer gives (rfc/0008).
 *
 * A lease counts from when it was asked for. Nothing is renewed without a leader, and what is not renewed ends. `now` is
 * the machine's monotonic clock, in ms: the one by which leases end.
 */
export class LeaseRenewals {
  /** The start of an instance waits for its lease; ends as `granted` or `refused`. An earlier wish for it is given up. */
  acquire(_lease: Lease, _timeoutMs: number): readonly LeaseEffect[] {
    throw new Error("not yet");
  }

  /** The start of the instance is not wanted any more. */
  giveUp(_instance: string): readonly LeaseEffect[] {
    throw new Error("not yet");
  }

  /** There is a new leader, or another instance. */
  renewSoon(): readonly LeaseEffect[] {
    throw new Error("not yet");
  }

  /**
   * The interval has passed, or what `soon` announced has come.
   *
   * `leader` has taken this node in; `leased` is what runs here, waits to start or ends, as the site has it.
   */
  renew(_around: {
    readonly leader: string | undefined;
    readonly leased: readonly Lease[];
    readonly now: number;
  }): readonly LeaseEffect[] {
    throw new Error("not yet");
  }

  answered(_ref: number, _granted: readonly string[], _now: number): readonly LeaseEffect[] {
    throw new Error("not yet");
  }

  /** Nobody answered in time, or the one asked does not lead. */
  failed(_ref: number): readonly LeaseEffect[] {
    throw new Error("not yet");
  }

  /** The start of the instance has waited for its lease as long as it may. */
  due(_instance: string): readonly LeaseEffect[] {
    throw new Error("not yet");
  }

  /** Gives up every start that waits, and asks for nothing any more. */
  close(): readonly LeaseEffect[] {
    throw new Error("not yet");
  }
}
