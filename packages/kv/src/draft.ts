import { withClientId } from "./client-ids.ts";
import { dueIn, withDue, withoutDue } from "./due.ts";
import { assigned, type Found, findIn, removed } from "./locate.ts";
import { Notices } from "./observers.ts";
import { applyOperation, canFail } from "./operators.ts";
import { segmentsOf } from "./path.ts";
import type { ClientIds, KvState, Stamp } from "./state.ts";
import type { WriteTransaction } from "./transaction.ts";
import { Edit, Tree } from "./tree.ts";
import { expiredDepth, ttlsAt, withExpiry } from "./ttl.ts";
import type { Value } from "./value.ts";

/** Where the store keeps what it writes itself; requests may not name it. */
const ownKey = ".agency";

/** Expired values that a transaction removes, besides two for each operation of its own. */
const sweptMin = 16;

/** Seconds that a transaction goes on at most in its search for them. */
const secondsMax = 1000;

/**
 * A state while transactions change it, in place: it has one owner.
 *
 * Nodes are made under one token and changed where they are; whoever is given a state gets one whose nodes no later
 * change touches, because the token changes with it.
 */
export class Draft {
  readonly stamp: Stamp;
  readonly notices = new Notices();
  observers: Tree;
  #index: number;
  #root: Value;
  #ttls: Tree | null;
  #due: Tree;
  #sweptTo: number;
  #clientIds: ClientIds;
  #own: Tree;
  #edit = new Edit();

  /** Log time is whole, and never goes back, whatever the stamp says. */
  constructor(state: KvState, stamp: Stamp) {
    const logTime = Math.max(Math.trunc(stamp.logTime), state.logTime);
    this.stamp = { logTime, wallTime: Math.trunc(stamp.wallTime) };
    this.observers = state.observers;
    this.#index = state.index;
    this.#root = state.root;
    this.#ttls = state.ttls;
    this.#due = state.due;
    this.#sweptTo = state.sweptTo;
    this.#clientIds = state.clientIds;
    this.#own = state.own;
  }

  get edit(): Edit {
    return this.#edit;
  }

  get index(): number {
    return this.#index;
  }

  /** The state as it is now. */
  publish(): KvState {
    this.#edit = new Edit();
    return {
      index: this.#index,
      ...this.stamp,
      root: this.#root,
      ttls: this.#ttls,
      due: this.#due,
      sweptTo: this.#sweptTo,
      observers: this.observers,
      clientIds: this.#clientIds,
      own: this.#own,
    };
  }

  /** The value at the path and its part of the table of TTLs; undefined when it is absent or has expired. */
  find(segments: readonly string[]): Found | undefined {
    return findIn(this.#root, this.#ttls, segments, this.stamp.logTime);
  }

  /** The value at the path; undefined when it is absent or has expired. */
  get(segments: readonly string[]): Value | undefined {
    if (this.#ttls !== null) return this.find(segments)?.value;
    let value: Value | undefined = this.#root;
    for (const key of segments) {
      if (!(value instanceof Tree)) return undefined;
      value = value.get(key);
    }
    return value;
  }

  /** Puts a value at the path, with its parents; it expires at `expiry` or, when that is null, never. */
  assign(segments: readonly string[], value: Value, expiry: number | null): void {
    this.#clearExpired(segments);
    const wasObject = this.#root instanceof Tree;
    this.#root = assigned(this.#root, segments, 0, value, this.#edit);
    if (segments.length === 1 && segments[0] === ownKey && value instanceof Tree) this.#own = value;
    else if (segments.length === 0 || !wasObject) this.#putOwnBack();
    if (this.#ttls !== null || expiry !== null) this.#setExpiry(segments, expiry);
    if (expiry !== null && expiry <= this.stamp.logTime) this.#take(segments);
  }

  /** Removes what is at the path; the parents stay. */
  remove(segments: readonly string[]): void {
    this.#clearExpired(segments);
    this.#take(segments);
  }

  #take(segments: readonly string[]): void {
    this.#root = removed(this.#root, segments, 0, this.#edit) ?? Tree.empty;
    if (this.#ttls !== null) this.#setExpiry(segments, null);
  }

  /** A new root that is an object has what the store itself wrote; only a delete of the root takes it away. */
  #putOwnBack(): void {
    if (this.#own.size === 0 || !(this.#root instanceof Tree) || this.#root.has(ownKey)) return;
    this.#root = this.#root.set(ownKey, this.#own, this.#edit);
  }

  #setExpiry(segments: readonly string[], expiry: number | null): void {
    const path = `/${segments.join("/")}`;
    this.#due = withoutDue(this.#due, path, ttlsAt(this.#ttls, segments), this.#edit);
    this.#ttls = withExpiry(this.#ttls, segments, expiry, this.#edit);
    if (expiry !== null) this.#due = withDue(this.#due, path, expiry, this.#edit);
  }

  /** What has expired on the way to the path is gone before anything is written there. */
  #clearExpired(segments: readonly string[]): void {
    if (this.#ttls === null) return;
    const depth = expiredDepth(this.#ttls, segments, this.stamp.logTime);
    if (depth !== undefined) this.#take(segments.slice(0, depth));
  }

  /** Carries out all operations and gives them the next index, or changes nothing and answers false. */
  apply(operations: WriteTransaction["operations"], clientId: string | null): boolean {
    if (!this.#carryOut(operations)) return false;
    this.#index++;
    if (clientId !== null) {
      this.#clientIds = withClientId(this.#clientIds, clientId, this.#index, this.#edit);
    }
    if (this.observers.size > 0) this.#tellObservers(operations);
    this.#sweep(sweptMin + 2 * operations.length);
    return true;
  }

  /**
   * Removes up to `countMax` of the values that have expired, which nobody sees any more.
   *
   * A part of each transaction that is applied, so that all members have removed the same; more than it can add, so
   * that what has expired does not pile up.
   */
  #sweep(countMax: number): void {
    const now = Math.floor(this.stamp.logTime / 1000);
    if (this.#due.size === 0) {
      this.#sweptTo = now;
      return;
    }
    const last = Math.min(now, this.#sweptTo + secondsMax);
    let room = countMax;
    for (let second = this.#sweptTo + 1; second <= last; second++) {
      const paths = dueIn(this.#due, second, room + 1);
      for (const path of paths.slice(0, room)) this.remove(segmentsOf(path));
      if (paths.length > room) return;
      room -= paths.length;
      this.#sweptTo = second;
    }
  }

  #carryOut(operations: WriteTransaction["operations"]): boolean {
    const [first] = operations;
    if (operations.length === 1 && first !== undefined) {
      return applyOperation(this, first[0], segmentsOf(first[0]), first[1]);
    }
    if (!operations.some(([, operation]) => canFail(operation))) return this.#applyAll(operations);
    // Under a new token the nodes that were there stay as they are, so the way back is open.
    this.#edit = new Edit();
    const root = this.#root;
    const ttls = this.#ttls;
    const due = this.#due;
    const observers = this.observers;
    if (this.#applyAll(operations)) return true;
    this.#root = root;
    this.#ttls = ttls;
    this.#due = due;
    this.observers = observers;
    return false;
  }

  #applyAll(operations: WriteTransaction["operations"]): boolean {
    return operations.every(([path, operation]) =>
      applyOperation(this, path, segmentsOf(path), operation),
    );
  }

  #tellObservers(operations: WriteTransaction["operations"]): void {
    for (const [path, operation] of operations) {
      const name = operation instanceof Tree ? operation.get("op") : undefined;
      if (typeof name !== "string" || name === "observe" || name === "unobserve") continue;
      this.notices.add(this.observers, path, name, this.#index);
    }
  }
}
