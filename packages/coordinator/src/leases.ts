import { type ErrorCode, HalonError } from "@halon/protocol";
import { type AskedLease, type LeaseEffect, LeaseGrants, type LeaseState } from "./core/index.ts";

/** What the leases need of the store and the decision loop. */
export interface LeasePorts {
  /** As of `Store`. */
  confirm(): Promise<boolean>;
  /** As of the last decision. */
  state(): LeaseState;
  /** Runs `read` when all that the state holds is durable; never when the store is lost before. */
  whenDurable(read: () => void): void;
  /** Monotonic milliseconds. */
  now(): number;
}

interface Renewal {
  readonly resolve: (granted: readonly string[]) => void;
  readonly reject: (error: HalonError) => void;
}

/** Grants nodes the leases of exclusive instances, and tells of a lost node how old its last grant is (rfc/0008). */
export class Leases {
  readonly #ports: LeasePorts;
  readonly #core: LeaseGrants;
  readonly #renewals = new Map<number, Renewal>();
  #lastRef = 0;

  /** Made when the store is owned. */
  constructor(ports: LeasePorts) {
    this.#ports = ports;
    this.#core = new LeaseGrants(ports.now());
  }

  /**
   * The instances of those asked for that the node may run for another lease, which counts from when it asked.
   *
   * Errors: HAL_NO_LEADER when it cannot be confirmed that the store is still owned; HAL_TOO_MANY.
   */
  renew(node: string, asked: readonly AskedLease[]): Promise<readonly string[]> {
    this.#lastRef += 1;
    const ref = this.#lastRef;
    return new Promise((resolve, reject) => {
      this.#renewals.set(ref, { resolve, reject });
      this.#carryOut(this.#core.renew(ref, node, asked));
    });
  }

  /** As of `LeaseGrants`. */
  losing(node: string): number {
    return this.#core.losing(node, this.#ports.now());
  }

  /** As of `LeaseGrants`. */
  decided(node: string): void {
    this.#core.decided(node);
  }

  #carryOut(effects: readonly LeaseEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "confirm":
          void this.#confirm(effect.ref);
          break;
        case "whenDurable":
          this.#ports.whenDurable(() => {
            const { state, now } = this.#look();
            this.#carryOut(this.#core.durable(effect.ref, state, now));
          });
          break;
        case "granted":
          this.#ended(effect.ref)?.resolve(effect.instances);
          break;
        case "refused":
          this.#ended(effect.ref)?.reject(refusal(effect));
          break;
      }
    }
  }

  async #confirm(ref: number): Promise<void> {
    const isOwner = await this.#ports.confirm();
    const { state, now } = this.#look();
    this.#carryOut(this.#core.confirmed(ref, isOwner, state, now));
  }

  #look(): { readonly state: LeaseState; readonly now: number } {
    return { state: this.#ports.state(), now: this.#ports.now() };
  }

  #ended(ref: number): Renewal | undefined {
    const renewal = this.#renewals.get(ref);
    this.#renewals.delete(ref);
    return renewal;
  }
}

function refusal({
  code,
  message,
}: {
  readonly code: ErrorCode;
  readonly message: string;
}): HalonError {
  return new HalonError(code, message);
}
