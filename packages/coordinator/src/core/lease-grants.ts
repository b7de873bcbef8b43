import type { ErrorCode } from "@halon/protocol";
import { type AskedLease, grantable } from "./leases.ts";
import type { CoordinatorState } from "./state.ts";

/** Renewals that may wait; nodes ask again. */
const waitingMax = 10_000;

/** Work that the grants of leases ask their driver to do: in order, in the turn in which it got them. */
export type LeaseEffect =
  /** Asks the store whether this coordinator still owns it; then `confirmed`. One at most is under way. */
  | { readonly type: "confirm"; readonly ref: number }
  /** Calls `durable` when all that the state holds is durable, in this turn if it is now; never when the store is lost. */
  | { readonly type: "whenDurable"; readonly ref: number }
  /** Answers the renewal: of the instances asked for those that may run for another lease. */
  | { readonly type: "granted"; readonly ref: number; readonly instances: readonly string[] }
  | {
      readonly type: "refused";
      readonly ref: number;
      readonly code: ErrorCode;
      readonly message: string;
    };

/** What is looked at for a grant: the state as of the last decision. */
export type LeaseState = Pick<CoordinatorState, "graph">;

interface Renewal {
  /** The driver's number. */
  readonly ref: number;
  readonly node: string;
  readonly asked: readonly AskedLease[];
}

/**
 * Grants nodes the leases of exclusive instances, and tells of a lost node how old its last grant is (rfc/0008).
 *
 * A grant is given after the store has confirmed its owner, in the same turn as the decided state allows it. Of what the
 * state says of the node itself only what is durable counts: a successor that does not know that the node is back would
 * wait for an earlier lease only. All times are of one monotonic clock, in ms.
 */
export class LeaseGrants {
  /** Nothing was granted here before. */
  readonly #takeoverAt: number;
  readonly #lastGrants = new Map<string, number>();
  /** Nodes as the durable state had them when they were looked at last. */
  readonly #durable = new Map<string, string>();
  /** Losses that were told of and are not decided. */
  readonly #losses = new Map<string, number>();
  /** For the next proof. */
  #waiting: Renewal[] = [];
  #proof: { readonly ref: number; readonly renewals: readonly Renewal[] } | undefined;
  /** By the number under which `whenDurable` was asked for. */
  readonly #reads = new Map<number, Renewal>();
  #lastRef = 0;

  /** Made when the store is owned. */
  constructor(now: number) {
    this.#takeoverAt = now;
  }

  /** A node asks for leases under the driver's number `ref`, which `granted` or `refused` answers. */
  renew(ref: number, node: string, asked: readonly AskedLease[]): readonly LeaseEffect[] {
    if (this.#waiting.length + this.#reads.size >= waitingMax) {
      const message = `${waitingMax} renewals wait already; ask again later.`;
      return [{ type: "refused", ref, code: "HAL_TOO_MANY", message }];
    }
    this.#waiting.push({ ref, node, asked });
    return this.#confirm();
  }

  /** The store has answered `confirm`; in the turn of its answer. */
  confirmed(ref: number, isOwner: boolean, state: LeaseState, now: number): readonly LeaseEffect[] {
    if (this.#proof?.ref !== ref) return [];
    const { renewals } = this.#proof;
    this.#proof = undefined;
    const answers = renewals.map((renewal) =>
      isOwner ? this.#answer(renewal, state, now) : notConfirmed(renewal),
    );
    return [...answers, ...this.#confirm()];
  }

  /** All that `state` holds is durable, as `whenDurable` asked. */
  durable(ref: number, state: LeaseState, now: number): readonly LeaseEffect[] {
    const renewal = this.#reads.get(ref);
    if (renewal === undefined) return [];
    this.#reads.delete(ref);
    this.#durable.set(renewal.node, seen(state, renewal.node));
    return [this.#grant(renewal, state, now)];
  }

  /**
   * The node is about to be told of as lost: nothing is granted to it before `decided` was called and it is back.
   *
   * The answer is for how many whole milliseconds nothing was granted to it, at least.
   */
  losing(node: string, now: number): number {
    this.#losses.set(node, (this.#losses.get(node) ?? 0) + 1);
    this.#durable.delete(node);
    return Math.floor(now - (this.#lastGrants.get(node) ?? this.#takeoverAt));
  }

  /** What `losing` announced was decided, and is durable, or will never be. */
  decided(node: string): void {
    const left = (this.#losses.get(node) ?? 0) - 1;
    if (left > 0) this.#losses.set(node, left);
    else this.#losses.delete(node);
  }

  /** One proof at a time, for all renewals that came before it was asked for. */
  #confirm(): readonly LeaseEffect[] {
    if (this.#proof !== undefined || this.#waiting.length === 0) return [];
    this.#lastRef += 1;
    this.#proof = { ref: this.#lastRef, renewals: this.#waiting };
    this.#waiting = [];
    return [{ type: "confirm", ref: this.#lastRef }];
  }

  #answer(renewal: Renewal, state: LeaseState, now: number): LeaseEffect {
    const { node } = renewal;
    if (this.#durable.get(node) === seen(state, node)) return this.#grant(renewal, state, now);
    this.#lastRef += 1;
    this.#reads.set(this.#lastRef, renewal);
    return { type: "whenDurable", ref: this.#lastRef };
  }

  #grant({ ref, node, asked }: Renewal, state: LeaseState, now: number): LeaseEffect {
    if (this.#losses.has(node)) return { type: "granted", ref, instances: [] };
    const instances = grantable(state, node, asked);
    if (instances.length > 0) this.#lastGrants.set(node, now);
    return { type: "granted", ref, instances };
  }
}

/** The node as the state has it now: any change of whether it is there makes another text. */
function seen({ graph }: LeaseState, node: string): string {
  const known = graph.get("Node", node)?.attributes;
  return known === undefined ? "" : `${known.state} ${known.incarnation} ${known.since}`;
}

function notConfirmed({ ref }: Renewal): LeaseEffect {
  const message =
    "It could not be confirmed in time that this node still leads; no lease was renewed. Ask again.";
  return { type: "refused", ref, code: "HAL_NO_LEADER", message };
}
