import type { Json } from "@halon/protocol";

/** A key and its value; `null` stands for a key that is absent. Every key is absent at first. */
export interface Assignment {
  readonly key: string;
  readonly value: Json;
}

/**
 * What a client asked for, and when.
 *
 * Times are of one clock, in any unit, finite; `end` is when the answer was whole, and counts for nothing when the outcome
 * is unknown. An operation precedes another when it ended strictly before the other started. `id` is unique in a history.
 */
interface Call {
  readonly id: string;
  readonly start: number;
  readonly end: number;
}

/**
 * How an operation ended: `ok` and took effect; `failed`, because at its point something that it required did not hold;
 * `refused`, and certainly without effect; `unknown`, it may have had its effect once, at any later time, or never.
 */
export type Outcome = "ok" | "failed" | "refused" | "unknown";

/** A read of one key. */
export type ReadOperation = Call & { readonly type: "read"; readonly key: string } & (
    | { readonly outcome: "ok"; readonly value: Json }
    | { readonly outcome: "refused" | "unknown" }
  );

/** A write that requires nothing. */
export type WriteOperation = Call &
  Assignment & { readonly type: "write"; readonly outcome: Exclude<Outcome, "failed"> };

/** A write that requires a value of the key it sets. */
export type CasOperation = Call &
  Assignment & { readonly type: "cas"; readonly expected: Json; readonly outcome: Outcome };

/**
 * A transaction over keys: all of `required` holds just before it, and `set` just after, at one instant.
 *
 * A read of several keys is one that sets nothing. Keys of a transaction are checked together, so let them be few.
 */
export type TxnOperation = Call & {
  readonly type: "txn";
  readonly required: readonly Assignment[];
  readonly set: readonly Assignment[];
  readonly outcome: Outcome;
};

/** One operation of a recorded history. */
export type Operation = ReadOperation | WriteOperation | CasOperation | TxnOperation;

/** What is said of a history, or of the first keys of it that are wrong. */
export type Verdict =
  /** `orders` has, for each group of connected keys, the ids of its operations in an order that explains all answers. */
  | { readonly type: "linearizable"; readonly orders: readonly (readonly string[])[] }
  /**
   * No order explains the answers of `window`, whatever the values before it; without any of its operations one would.
   *
   * Operations in flight at the left edge of the window, or weakened while it was made small, stand in it as unknown.
   * `isConfirmed` tells that the second engine came to the same end; it is false only when that would have taken too long.
   */
  | {
      readonly type: "violation";
      readonly keys: readonly string[];
      readonly reason: string;
      readonly window: readonly Operation[];
      readonly isConfirmed: boolean;
    }
  /** The search was given up at its bound: too much was concurrent or unknown on these keys. */
  | { readonly type: "undecided"; readonly keys: readonly string[]; readonly reason: string };

/**
 * Decides whether a history of registers is linearizable.
 *
 * Each group of keys that transactions connect is checked alone (locality, Herlihy and Wing 1990 §3.1), by the search of Wing and
 * Gong (1993) with Lowe's memory of configurations. Give histories at most about 10 clients and 1,000 operations a key.
 */
export function checkLinearizable(_history: readonly Operation[]): Verdict {
  throw new Error("not built yet");
}
