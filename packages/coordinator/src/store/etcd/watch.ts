import { setTimeout as delay } from "node:timers/promises";
import { isFault } from "./fault.ts";
import type { Gateway } from "./gateway.ts";
import type { Keys } from "./keys.ts";
import { base64, type WatchMessage } from "./ops.ts";
import { slotOf, type View } from "./view.ts";

/** How often a handle looks by itself: a watch can be silent without being told why. */
const pulseMs = 1_000;

/**
 * Keeps a view up to date until the gateway ends.
 *
 * Each watch begins with a read and goes on from its revision, so nothing is missed, whatever ended the one before:
 * compaction, a member that died or lost its leader, a watch that etcd cancelled.
 */
export class Watcher {
  readonly #gateway: Gateway;
  readonly #keys: Keys;
  readonly #view: View;
  #restart = new AbortController();
  #isClosed = false;
  readonly #closed = new AbortController();
  /** Who owns the store has no use for its own slots. */
  withLog = true;

  constructor(gateway: Gateway, keys: Keys, view: View) {
    this.#gateway = gateway;
    this.#keys = keys;
    this.#view = view;
  }

  start(): void {
    void this.#watch();
    void this.#pulse();
  }

  /** Watches anew, after `withLog` has changed. */
  restart(): void {
    this.#restart.abort();
  }

  close(): void {
    this.#isClosed = true;
    this.#closed.abort();
    this.#restart.abort();
  }

  async #watch(): Promise<void> {
    while (!this.#isClosed) {
      this.#restart = new AbortController();
      try {
        const revision = await this.#view.survey();
        const creates = this.#creates(revision + 1);
        await this.#gateway.watch(creates, (message) => this.#take(message), this.#restart.signal);
      } catch (error) {
        if (isFault(error, "ended")) return;
        if (!this.#restart.signal.aborted) await this.#pause(100);
      }
    }
  }

  async #pulse(): Promise<void> {
    while (!this.#isClosed) {
      await this.#pause(pulseMs);
      try {
        await this.#view.pulse();
      } catch (error) {
        // The next one tells; whoever needs an answer asks and gets the error.
        if (isFault(error, "ended")) return;
      }
    }
  }

  #creates(revision: number): readonly object[] {
    const from = String(revision);
    const { owner, log, logEnd } = this.#keys;
    const creates: object[] = [{ key: base64(owner), start_revision: from, watch_id: "1" }];
    if (this.withLog) {
      creates.push({
        key: base64(log(0)),
        range_end: base64(logEnd),
        start_revision: from,
        watch_id: "2",
        filters: ["NODELETE"],
        // A lot at once comes in pieces, as large as a request may be.
        fragment: true,
      });
    }
    return creates;
  }

  #take(message: NonNullable<WatchMessage["result"]>): void {
    if (message.canceled) this.#restart.abort();
    try {
      for (const { type, kv } of message.events) {
        if (kv.key === this.#keys.owner) {
          this.#view.takeOwner(type === "DELETE" ? undefined : kv, kv.modRevision);
        } else if (type === "PUT") {
          this.#view.takeSlot(slotOf(kv));
        }
      }
    } catch {
      // Written by something else. Whoever looks for it gets the error.
      this.#view.wake();
    }
  }

  async #pause(ms: number): Promise<void> {
    // Cut short by `close`.
    await delay(ms, undefined, { signal: this.#closed.signal }).catch(() => undefined);
  }
}
