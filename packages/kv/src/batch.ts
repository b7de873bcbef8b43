import type { Notification } from "./observers.ts";
import type { KvState, Stamp } from "./state.ts";
import type { ReadTransaction, TransactItem, WriteTransaction } from "./transaction.ts";

/** What came of one write transaction; in all but the first nothing has changed. */
export type Outcome =
  | { readonly type: "applied"; readonly index: number }
  /** Normalised paths whose preconditions do not hold. */
  | { readonly type: "failed"; readonly paths: readonly string[] }
  /** It touches `.agency`. */
  | { readonly type: "forbidden" }
  /** An operator refused its arguments or the value that it met. */
  | { readonly type: "rejected" };

/** Answer to a `transact` or `transient`: JSON text, and the highest index that it wrote or 0. */
export interface TransactAnswer {
  readonly status: 200 | 403 | 412 | 500;
  readonly text: string;
  readonly lastIndex: number;
}

/**
 * Transactions of one turn, sequenced one after the other on the newest state.
 *
 * It has one owner and changes in place; states that it gives out stay as they are.
 */
export class Batch {
  constructor(_state: KvState, _stamp: Stamp) {
    throw new Error("not built");
  }
  /** Number of transactions applied. */
  get count(): number {
    throw new Error("not built");
  }
  /** The state after all transactions so far. */
  get state(): KvState {
    throw new Error("not built");
  }
  /** Whom the applied transactions concern; to be told when the entry is committed. */
  get notifications(): readonly Notification[] {
    throw new Error("not built");
  }
  add(_transaction: WriteTransaction): Outcome {
    throw new Error("not built");
  }
  transact(_items: readonly TransactItem[]): TransactAnswer {
    throw new Error("not built");
  }
  /** The same on the unreplicated tree: `true` or `false` for a write, always 200. */
  transient(_items: readonly TransactItem[]): TransactAnswer {
    throw new Error("not built");
  }
  /** JSON text of what the paths hold now. */
  read(_paths: ReadTransaction): string {
    throw new Error("not built");
  }
  /** Text of the log entry of all applied transactions; null when there are none. */
  entry(): string | null {
    throw new Error("not built");
  }
}
