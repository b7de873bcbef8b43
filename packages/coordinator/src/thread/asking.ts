import { HalonError } from "@halon/protocol";
import type { FromCoordinator, ToCoordinator } from "./wire.ts";

/** Who waits for an answer of the thread. */
export interface Pending {
  readonly resolve: (message: FromCoordinator) => void;
  readonly reject: (error: Error) => void;
}

/** What the thread has told so far. */
export interface Seen {
  phase: "standby" | "leading";
  following: Extract<FromCoordinator, { type: "following" }> | undefined;
  epoch: number;
  files: Extract<FromCoordinator, { type: "ruleFiles" }>["files"];
}

/** Asks the thread, and waits for the answer of the same number. */
export function asker(
  post: (message: ToCoordinator) => void,
  pending: Map<number, Pending>,
  ended: Ending,
): (timeoutMs: number, question: (ref: number) => ToCoordinator) => Promise<FromCoordinator> {
  let lastRef = 0;
  return (timeoutMs, question) => {
    if (ended.isOver) return Promise.reject(noLeader());
    lastRef += 1;
    const ref = lastRef;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        pending.delete(ref);
        reject(
          new HalonError(
            "HAL_TIMEOUT",
            `The coordinator did not answer within ${timeoutMs} ms; the outcome is unknown.`,
          ),
        );
      }, timeoutMs);
      pending.set(ref, {
        resolve: (message) => {
          clearTimeout(late);
          resolve(message);
        },
        reject: (error) => {
          clearTimeout(late);
          reject(error);
        },
      });
      post(question(ref));
    });
  };
}

/** The one who waits under this number, who is not waited for any more. */
export function take(pending: Map<number, Pending>, ref: number): Pending | undefined {
  const found = pending.get(ref);
  pending.delete(ref);
  return found;
}

/** To be thrown where only a leader can do it. */
export function notLeading(): HalonError {
  return new HalonError(
    "HAL_NO_LEADER",
    "The coordinator of this node does not lead; send it to the one that does.",
  );
}

/** To be thrown when the thread has ended meanwhile. */
export function noLeader(): HalonError {
  return new HalonError(
    "HAL_NO_LEADER",
    "The coordinator has ended before it answered: whether the event took effect is not known; ask again under the same id.",
  );
}

/** The end of the thread: expected, or with the reason that came before it. */
export class Ending {
  readonly promise: Promise<void>;
  reason: HalonError | undefined;
  isOver = false;
  #isExpected = false;
  readonly #pending: Map<number, Pending>;
  readonly #seen: Seen;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(pending: Map<number, Pending>, seen: Seen) {
    this.#pending = pending;
    this.#seen = seen;
    this.promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Without a listener the rejection would end the process: whoever waits hears of it, nobody has to.
    this.promise.catch(() => undefined);
  }

  expect(): void {
    this.#isExpected = true;
  }

  fail(reason: HalonError): void {
    this.reason ??= reason;
  }

  close(): void {
    this.isOver = true;
    this.#seen.phase = "standby";
    // Replies that came last are handed on a turn later, and go before this.
    setImmediate(() => {
      for (const { reject } of this.#pending.values()) reject(noLeader());
      this.#pending.clear();
    });
    if (this.#isExpected) this.#settle?.resolve();
    else
      this.#settle?.reject(
        this.reason ?? new HalonError("HAL_INTERNAL", "The coordinator's thread ended."),
      );
  }
}
