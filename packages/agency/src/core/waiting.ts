import type { ReadTransaction } from "@halon/kv";
import { Queue } from "./queue.ts";
import type { AgencyAnswer, AgencyRequest } from "./request.ts";

/** What is said when the wait is over; all but the first is worked out then, from the state of then. */
export type Finish =
  | { readonly type: "answer"; readonly answer: AgencyAnswer }
  | { readonly type: "read"; readonly transactions: readonly ReadTransaction[] }
  | { readonly type: "inquire"; readonly ids: readonly string[] }
  /** As `inquire`, from what is sequenced. */
  | { readonly type: "inquireNow"; readonly ids: readonly string[] }
  | { readonly type: "poll"; readonly index: number; readonly untilMs: number };

/** One bound each. */
export type WaitKind = "write" | "read" | "poll";

/** A request whose answer waits until entries up to `index` are applied. */
export interface Waiter {
  readonly id: number;
  readonly kind: WaitKind;
  readonly sinceMs: number;
  readonly index: number;
  readonly finish: Finish;
}

/** No commit for so long: the answer is `notCommitted`. */
export const commitTimeoutMs = 2_000;
/** Requests of each kind that may wait. */
export const waitingMax: Readonly<Record<WaitKind, number>> = {
  write: 10_000,
  read: 10_000,
  poll: 1_000,
};

/** Which bound a request falls under. */
export function waitKindOf(request: AgencyRequest): WaitKind {
  if (request.type === "poll") return "poll";
  return request.type === "read" || request.type === "inquire" ? "read" : "write";
}

/**
 * Answers that wait: for the commit of an entry, for a majority that proves the leader, or, as polls, for more.
 *
 * Whatever is taken out is counted off; the caller answers it.
 */
export class Waiting {
  readonly #counts: Record<WaitKind, number> = { write: 0, read: 0, poll: 0 };
  /** Indexes ascend, as entries are proposed in order. */
  readonly #byIndex = new Queue<Waiter>();
  /** Read id → those that it confirms; in order of the ids. */
  readonly #byRead = new Map<number, readonly Waiter[]>();
  /** Confirmed, while what was sequenced before them is not applied yet. */
  #confirmed: Waiter[] = [];
  #polls: Waiter[] = [];

  /** Takes a place; false when all are taken. */
  enter(kind: WaitKind): boolean {
    if (this.#counts[kind] >= waitingMax[kind]) return false;
    this.#counts[kind] += 1;
    return true;
  }

  /** Gives back the place of a request that is answered without having waited here. */
  leave(kind: WaitKind): void {
    this.#counts[kind] -= 1;
  }

  get count(): number {
    return this.#counts.write + this.#counts.read + this.#counts.poll;
  }

  /** Waits for the commit of the entry at `waiter.index`, which was proposed after the request came. */
  forCommit(waiter: Waiter): void {
    this.#byIndex.push(waiter);
  }

  forRead(readId: number, waiters: readonly Waiter[]): void {
    this.#byRead.set(readId, waiters);
  }

  forMore(poll: Waiter): void {
    this.#counts.poll += 1;
    this.#polls.push(poll);
  }

  /** A majority confirmed these; they may be answered from the state as of `index` or later. */
  confirmed(readIds: readonly number[], index: number): void {
    for (const readId of readIds) {
      for (const waiter of this.#byRead.get(readId) ?? []) {
        this.#confirmed.push({ ...waiter, index: Math.max(index, waiter.index) });
      }
      this.#byRead.delete(readId);
    }
  }

  /** Takes what waited for entries up to `index` only. */
  takeApplied(index: number): readonly Waiter[] {
    const done: Waiter[] = [];
    while ((this.#byIndex.peek()?.index ?? Infinity) <= index) this.#take(this.#byIndex, done);
    if (this.#confirmed.length > 0) {
      this.#confirmed = this.#split(this.#confirmed, done, (waiter) => waiter.index <= index);
    }
    return done;
  }

  /** Takes polls that entries up to this transaction satisfy. */
  takePolls(transactionIndex: number): readonly Waiter[] {
    return this.#takePolls(({ index }) => index <= transactionIndex);
  }

  /** Takes polls whose time is over. */
  takeLatePolls(ms: number): readonly Waiter[] {
    return this.#takePolls(({ untilMs }) => untilMs <= ms);
  }

  /** Takes those that have waited too long, and through whose wait nothing was committed. */
  takeLate(ms: number, lastCommitMs: number): readonly Waiter[] {
    const done: Waiter[] = [];
    if (lastCommitMs + commitTimeoutMs > ms) return done;
    const isLate = (waiter: Waiter | undefined): boolean =>
      waiter !== undefined && waiter.sinceMs + commitTimeoutMs <= ms;
    while (isLate(this.#byIndex.peek())) this.#take(this.#byIndex, done);
    this.#confirmed = this.#split(this.#confirmed, done, isLate);
    for (const [readId, waiters] of this.#byRead) {
      const left = this.#split(waiters, done, isLate);
      if (left.length > 0) this.#byRead.set(readId, left);
      else this.#byRead.delete(readId);
    }
    return done;
  }

  takeReads(readIds: readonly number[]): readonly Waiter[] {
    const done: Waiter[] = [];
    for (const readId of readIds) {
      this.#split(this.#byRead.get(readId) ?? [], done, () => true);
      this.#byRead.delete(readId);
    }
    return done;
  }

  takeAll(): readonly Waiter[] {
    const done = [...this.takeReads([...this.#byRead.keys()])];
    while (this.#byIndex.length > 0) this.#take(this.#byIndex, done);
    this.#confirmed = this.#split(this.#confirmed, done, () => true);
    this.#polls = this.#split(this.#polls, done, () => true);
    return done;
  }

  #takePolls(
    isDue: (finish: Extract<Finish, { readonly type: "poll" }>) => boolean,
  ): readonly Waiter[] {
    const done: Waiter[] = [];
    if (this.#polls.length > 0) {
      this.#polls = this.#split(
        this.#polls,
        done,
        ({ finish }) => finish.type === "poll" && isDue(finish),
      );
    }
    return done;
  }

  #take(from: Queue<Waiter>, into: Waiter[]): void {
    const waiter = from.shift();
    if (waiter === undefined) return;
    this.#counts[waiter.kind] -= 1;
    into.push(waiter);
  }

  /** Moves those that are due to `into`, gives the others. */
  #split(waiters: readonly Waiter[], into: Waiter[], isDue: (waiter: Waiter) => boolean): Waiter[] {
    const left: Waiter[] = [];
    for (const waiter of waiters) {
      if (!isDue(waiter)) {
        left.push(waiter);
        continue;
      }
      this.#counts[waiter.kind] -= 1;
      into.push(waiter);
    }
    return left;
  }
}
