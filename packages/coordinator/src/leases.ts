import { HalonError } from "@halon/protocol";
import type { CoordinatorState } from "./core/index.ts";
import { type AskedLease, grantable } from "./core/leases.ts";

/** Renewals that may wait for a proof of ownership; nodes ask again. */
const waitingMax = 10_000;

/** What the leases need of the store and the decision loop. */
export interface LeasePorts {
  /** As of `Store`. */
  confirm(): Promise<boolean>;
  /** As of the last decision. */
  state(): Pick<CoordinatorState, "graph">;
  /** Runs `read` when all that the state holds is durable; never when the store is lost before. */
  whenDurable(read: () => void): void;
  /** Monotonic milliseconds. */
  now(): number;
}

interface Renewal {
  readonly node: string;
  readonly asked: readonly AskedLease[];
  readonly resolve: (granted: readonly string[]) => void;
  readonly reject: (error: HalonError) => void;
}

/**
 * Grants nodes the leases of exclusive instances, and tells of a lost node how old its last grant is (rfc/0008).
 *
 * A grant is given after the store has confirmed its owner, in the same turn as the decided state allows it. Of what the
 * state says of the node itself only what is durable counts: a successor that does not know that the node is back would
 * wait for an earlier lease only.
 */
export class Leases {
  readonly #ports: LeasePorts;
  /** Nothing was granted here before. */
  readonly #takeoverAt: number;
  readonly #lastGrants = new Map<string, number>();
  /** Nodes as the durable state had them when they were looked at last. */
  readonly #durable = new Map<string, string>();
  /** Losses that were told of and are not decided. */
  readonly #losses = new Map<string, number>();
  #waiting: Renewal[] = [];
  #isConfirming = false;

  /** Made when the store is owned. */
  constructor(ports: LeasePorts) {
    this.#ports = ports;
    this.#takeoverAt = ports.now();
  }

  /**
   * The instances of those asked for that the node may run for another lease, which counts from when it asked.
   *
   * Errors: HAL_NO_LEADER when it cannot be confirmed that the store is still owned; HAL_TOO_MANY.
   */
  renew(node: string, asked: readonly AskedLease[]): Promise<readonly string[]> {
    if (this.#waiting.length >= waitingMax) {
      const message = `${waitingMax} renewals wait already; ask again later.`;
      return Promise.reject(new HalonError("HAL_TOO_MANY", message));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ node, asked, resolve, reject });
      void this.#confirm();
    });
  }

  /**
   * The node is about to be told of as lost: nothing is granted to it before `decided` was called and it is back.
   *
   * The answer is for how many whole milliseconds nothing was granted to it, at least.
   */
  losing(node: string): number {
    this.#losses.set(node, (this.#losses.get(node) ?? 0) + 1);
    this.#durable.delete(node);
    const last = this.#lastGrants.get(node) ?? this.#takeoverAt;
    return Math.floor(this.#ports.now() - last);
  }

  /** What `losing` announced was decided, and is durable, or will never be. */
  decided(node: string): void {
    const left = (this.#losses.get(node) ?? 0) - 1;
    if (left > 0) this.#losses.set(node, left);
    else this.#losses.delete(node);
  }

  /** One proof at a time, for all renewals that came before it was asked for. */
  async #confirm(): Promise<void> {
    if (this.#isConfirming) return;
    this.#isConfirming = true;
    while (this.#waiting.length > 0) {
      const renewals = this.#waiting;
      this.#waiting = [];
      const isOwner = await this.#ports.confirm();
      for (const renewal of renewals) {
        if (isOwner) this.#answer(renewal);
        else renewal.reject(notConfirmed());
      }
    }
    this.#isConfirming = false;
  }

  #answer(renewal: Renewal): void {
    const { node, asked, resolve } = renewal;
    if (this.#durable.get(node) === this.#seen(node)) {
      resolve(this.#grant(node, asked));
      return;
    }
    this.#ports.whenDurable(() => {
      this.#durable.set(node, this.#seen(node));
      resolve(this.#grant(node, asked));
    });
  }

  #grant(node: string, asked: readonly AskedLease[]): readonly string[] {
    if (this.#losses.has(node)) return [];
    const granted = grantable(this.#ports.state(), node, asked);
    if (granted.length > 0) this.#lastGrants.set(node, this.#ports.now());
    return granted;
  }

  /** The node as the state has it now: any change of whether it is there makes another text. */
  #seen(node: string): string {
    const known = this.#ports.state().graph.get("Node", node)?.attributes;
    return known === undefined ? "" : `${known.state} ${known.incarnation} ${known.since}`;
  }
}

function notConfirmed(): HalonError {
  return new HalonError(
    "HAL_NO_LEADER",
    "It could not be confirmed in time that this node still leads; no lease was renewed. Ask again.",
  );
}
