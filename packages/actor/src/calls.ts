import { type ErrorData, fromErrorData, HalonError } from "@halon/protocol";
import type { Address } from "./core/pid.ts";

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: number;
  /** Who is to answer; a name is replaced by its holder once that is known. */
  to: Address;
}

const pendingMax = 100_000;
/** Deadlines are looked at no more often than this, so that many calls cost one timer. */
const sweepMs = 5;

/** Calls that wait for an answer, with one timer for all deadlines. */
export class Calls {
  readonly #pending = new Map<number, Pending>();
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Number.POSITIVE_INFINITY;

  get count(): number {
    return this.#pending.size;
  }

  /** Errors, as rejection: HAL_TOO_MANY, HAL_BAD_REQUEST. */
  open<Reply>(ref: number, to: Address, timeoutMs: number): Promise<Reply> {
    if (!(timeoutMs > 0 && timeoutMs <= 2_147_483_647))
      throw new HalonError(
        "HAL_BAD_REQUEST",
        `Expected timeoutMs of 1 to 2^31-1, got ${timeoutMs}.`,
      );
    if (this.#pending.size >= pendingMax)
      throw new HalonError("HAL_TOO_MANY", `${pendingMax} calls wait for an answer; try again.`);
    const deadline = performance.now() + timeoutMs;
    return new Promise<Reply>((resolve, reject) => {
      this.#pending.set(ref, { resolve, reject, deadline, to });
      if (this.#pending.size === 1) this.#timer?.ref();
      if (deadline < this.#timerAt) this.#arm(deadline, timeoutMs);
    });
  }

  /** Answers after the deadline are ignored. */
  resolve(ref: number, value: unknown): void {
    this.#take(ref)?.resolve(value as never);
  }

  reject(ref: number, error: ErrorData): void {
    this.#take(ref)?.reject(fromErrorData(error));
  }

  resolved(ref: number, to: Address): void {
    const pending = this.#pending.get(ref);
    if (pending !== undefined) pending.to = to;
  }

  /** Rejects every call whose answer cannot come any more. */
  rejectWhere(matches: (to: Address) => boolean, errorOf: (to: Address) => ErrorData): void {
    for (const [ref, { to }] of this.#pending) if (matches(to)) this.reject(ref, errorOf(to));
  }

  #take(ref: number): Pending | undefined {
    const pending = this.#pending.get(ref);
    if (pending === undefined) return undefined;
    this.#pending.delete(ref);
    // The timer stays for the next call, but must not keep the OS process alive.
    if (this.#pending.size === 0) this.#timer?.unref();
    return pending;
  }

  #arm(at: number, delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(delayMs, sweepMs));
  }

  #sweep(): void {
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    this.#timer = null;
    this.#timerAt = next;
    for (const [ref, pending] of this.#pending) {
      if (pending.deadline > now) next = Math.min(next, pending.deadline);
      else this.reject(ref, { code: "HAL_TIMEOUT", message: lateText(pending.to) });
    }
    if (next !== Number.POSITIVE_INFINITY) this.#arm(next, next - now);
  }
}

function lateText(to: Address): string {
  return `${describeAddress(to)} did not answer before the deadline; it may still have done the work.`;
}

/** An address as text. */
export function describeAddress(to: Address): string {
  if (typeof to === "string") return to;
  return to.node === undefined ? to.name : `${to.name} on ${to.node}`;
}
