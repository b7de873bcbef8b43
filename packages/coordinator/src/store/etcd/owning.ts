import { setTimeout as delay } from "node:timers/promises";
import { EtcdFault, isFault } from "./fault.ts";
import type { Gateway } from "./gateway.ts";
import type { Keys } from "./keys.ts";
import { Lease } from "./lease.ts";
import { createdAt, get, isAbsent, put, type TxnAnswer, writtenAt } from "./ops.ts";
import { type Owner, ownerOf, type View } from "./view.ts";
import type { Watcher } from "./watch.ts";

/** How long `lead` waits for the watch before it looks by itself. */
const lookMs = 1_000;
/** How long `close` waits for etcd to take the lease back; it ends by itself 2 s later. */
const giveBackMs = 1_000;

/** A handle's claim to the store, from following to lost. It goes only forward. */
type Claim =
  | { readonly state: "following" }
  | { readonly state: "leading"; readonly owner: Owner; readonly lease: Lease }
  | { readonly state: "lost"; readonly reason: string };

/** The part of a handle that becomes the owner, stays it under a lease, and finds out when it is not any more. */
export class Owning {
  readonly #gateway: Gateway;
  readonly #keys: Keys;
  readonly #view: View;
  readonly #watcher: Watcher;
  readonly #address: string;
  readonly #listeners = new Set<(reason: string) => void>();
  #claim: Claim = { state: "following" };
  /** Ends the waiting of `lead`. */
  #look: () => void = () => undefined;
  #givenBack: Promise<void> = Promise.resolve();
  /** 0 before it leads; it stays afterwards. */
  epoch = 0;

  constructor(at: { gateway: Gateway; keys: Keys; view: View; watcher: Watcher }, address: string) {
    this.#gateway = at.gateway;
    this.#keys = at.keys;
    this.#view = at.view;
    this.#watcher = at.watcher;
    this.#address = address;
    at.view.onOwner.add(() => this.#compare());
  }

  get isLeading(): boolean {
    return this.#claim.state === "leading";
  }

  /** Why it is lost; undefined before. */
  get lostReason(): string | undefined {
    return this.#claim.state === "lost" ? this.#claim.reason : undefined;
  }

  onLost(listener: (reason: string) => void): () => void {
    this.#listeners.add(listener);
    const reason = this.lostReason;
    if (reason !== undefined) queueMicrotask(() => this.#tell(listener, reason));
    return () => this.#listeners.delete(listener);
  }

  /** Waits until nobody owns the store, and takes it. */
  async lead(): Promise<void> {
    if (this.epoch !== 0) throw new EtcdFault("refused", "a handle leads once");
    for (;;) {
      this.#gateway.throwIfEnded();
      if (this.#claim.state === "lost") throw new EtcdFault("refused", this.#claim.reason);
      try {
        await this.#view.survey();
        if (this.#view.owner === null && (await this.#campaign())) return;
      } catch (error) {
        if (!isFault(error, "unavailable") && !isFault(error, "noLease")) throw error;
        await delay(100);
      }
      if (this.#view.owner !== null) await this.#ownerChanged();
    }
  }

  /** Does what only the owner may. Rejects when the outcome is unknown, or nothing was done. */
  async asOwner(success: readonly object[]): Promise<TxnAnswer> {
    const claim = this.#claim;
    if (claim.state !== "leading") throw new EtcdFault("refused", this.#notLeading());
    const owner = get({ key: this.#keys.owner });
    const compare = [createdAt(this.#keys.owner, claim.owner.createRevision)];
    const answer = await this.#gateway.retry(
      () => this.#gateway.txn({ compare, success, failure: [owner] }),
      () => this.isLeading,
    );
    if (answer.succeeded) return answer;
    this.#view.takeOwner(answer.found[0]?.kvs[0], answer.revision);
    throw new EtcdFault("refused", this.#notLeading());
  }

  /** Reads the owner key by consensus: one try. */
  async confirm(): Promise<boolean> {
    const claim = this.#claim;
    if (claim.state !== "leading") return false;
    const { found, revision } = await this.#gateway.txn({
      compare: [],
      success: [get({ key: this.#keys.owner })],
      failure: [],
    });
    const kv = found[0]?.kvs[0];
    this.#view.takeOwner(kv, revision);
    return kv?.createRevision === claim.owner.createRevision && this.isLeading;
  }

  /** What a transaction compares so that it is done for the owner alone. */
  get compare(): readonly object[] {
    const revision = this.#claim.state === "leading" ? this.#claim.owner.createRevision : -1;
    return [createdAt(this.#keys.owner, revision)];
  }

  lose(reason: string): void {
    const { state } = this.#claim;
    if (state === "lost") return;
    // The next owner need not wait for its end.
    if (this.#claim.state === "leading") this.#givenBack = this.#claim.lease.giveBack();
    this.#claim = { state: "lost", reason };
    this.#watcher.withLog = true;
    this.#watcher.restart();
    this.#look();
    for (const listener of [...this.#listeners]) this.#tell(listener, reason);
  }

  /** Gives the store back. */
  async close(): Promise<void> {
    this.#listeners.clear();
    this.lose("the store is closed");
    const waiting = new AbortController();
    const waited = delay(giveBackMs, undefined, { signal: waiting.signal }).catch(() => undefined);
    await Promise.race([this.#givenBack, waited]);
    waiting.abort();
  }

  #notLeading(): string {
    const { epoch } = this.#view;
    return (
      this.lostReason ?? `this handle does not own the store; the newest owner has epoch ${epoch}`
    );
  }

  #tell(listener: (reason: string) => void, reason: string): void {
    if (this.#listeners.delete(listener)) listener(reason);
  }

  /** Puts the owner key and the next epoch, when both are still as the view says. */
  async #campaign(): Promise<boolean> {
    const { epoch, epochRevision } = this.#view;
    const keys = this.#keys;
    const lease = await Lease.grant(this.#gateway, (reason) => this.#leaseOver(lease, reason));
    const next = { epoch: epoch + 1, address: this.#address };
    const answer = await this.#gateway
      .retry(
        () =>
          this.#gateway.txn({
            compare: [isAbsent(keys.owner), writtenAt(keys.epoch, epochRevision)],
            success: [
              put(keys.owner, JSON.stringify(next), lease.id),
              put(keys.epoch, String(next.epoch)),
              get({ key: keys.owner }),
            ],
            failure: [get({ key: keys.owner })],
          }),
        () => !lease.isOver,
      )
      .catch((error: unknown) => {
        void lease.giveBack();
        throw error;
      });
    const kv = answer.found.at(-1)?.kvs[0];
    const owner = kv === undefined ? undefined : ownerOf(kv);
    // A try of which no answer came may have put the key: the lease tells.
    if (owner === undefined || owner.lease !== lease.id || lease.isOver || this.lostReason) {
      void lease.giveBack();
      this.#view.takeOwner(kv, answer.revision);
      return false;
    }
    this.epoch = owner.epoch;
    this.#claim = { state: "leading", owner, lease };
    this.#watcher.withLog = false;
    this.#watcher.restart();
    this.#view.takeOwner(kv, answer.revision);
    return true;
  }

  #leaseOver(lease: Lease, reason: string): void {
    if (this.#claim.state === "leading" && this.#claim.lease === lease) this.lose(reason);
  }

  /** Loses what the owner key says is another's. */
  #compare(): void {
    if (this.#claim.state !== "leading") return;
    const { owner } = this.#view;
    if (owner?.createRevision === this.#claim.owner.createRevision) return;
    const who = owner === null ? "nobody" : `${owner.address} under epoch ${owner.epoch}`;
    this.lose(`the owner key in etcd is not its own any more: ${who} owns the store`);
  }

  /** Resolves when the owner is another, or it is time to look. */
  #ownerChanged(): Promise<void> {
    const { onOwner } = this.#view;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        onOwner.delete(done);
        resolve();
      };
      const timer = setTimeout(done, lookMs);
      this.#look = done;
      onOwner.add(done);
    });
  }
}
