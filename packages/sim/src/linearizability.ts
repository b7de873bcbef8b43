import type { Json } from "@halon/protocol";
import { compile, type Model } from "./linearizability-model.ts";
import { findOrder } from "./linearizability-search.ts";
import { findWindow } from "./linearizability-window.ts";

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
  /** `orders` has, for each group of connected keys, ids in an order that explains all answers. */
  | { readonly type: "linearizable"; readonly orders: readonly (readonly string[])[] }
  /**
   * No order explains the answers of `window`; without the answer of any one of its operations there is one.
   *
   * What was in flight at an edge of the window, or whose answer the violation does not need, stands in it as unknown.
   * `before` tells which values the keys had before it: they were absent, or it holds for any.
   * `isConfirmed` tells that the second engine came to the same end; false only when that would have taken too much room.
   */
  | {
      readonly type: "violation";
      readonly keys: readonly string[];
      readonly reason: string;
      readonly before: "absent" | "any";
      readonly window: readonly Operation[];
      readonly isConfirmed: boolean;
    }
  /** The search was given up at its bound: too much was concurrent or unknown on these keys. */
  | { readonly type: "undecided"; readonly keys: readonly string[]; readonly reason: string };

/**
 * Decides whether a history of registers is linearizable.
 *
 * Each group of keys that transactions connect is checked alone (locality, Herlihy and Wing 1990, §3.1). Deciding is NP-complete
 * (Gibbons and Korach 1997): let a history have about 10 clients and 1,000 operations a key. Throws a `RangeError` on a history
 * that cannot be: an operation that ends before it starts, or two with one id.
 */
export function checkLinearizable(history: readonly Operation[]): Verdict {
  refuseNonsense(history);
  const orders: (readonly string[])[] = [];
  let undecided: Model | undefined;
  for (const model of compile(history)) {
    const found = findOrder(model);
    if (found.type === "order") orders.push(found.steps.map(({ operation }) => operation.id));
    else if (found.type === "undecided") undecided ??= model;
    else {
      const { before, operations: window, isConfirmed } = findWindow(model);
      const ids = window.map(({ id }) => id).join(", ");
      const reason = `no order explains ${ids}${before === "any" ? ", whatever was before" : ""}`;
      return { type: "violation", keys: model.keys, reason, before, window, isConfirmed };
    }
  }
  if (undecided === undefined) return { type: "linearizable", orders };
  const reason = "too much was concurrent or unknown: give fewer clients or more keys";
  return { type: "undecided", keys: undecided.keys, reason };
}

function refuseNonsense(history: readonly Operation[]): void {
  const ids = new Set<string>();
  for (const { id, start, end, outcome } of history) {
    if (ids.has(id)) throw new RangeError(`two operations have the id ${id}`);
    ids.add(id);
    // Written so that NaN is refused too.
    if (!(Number.isFinite(start) && (outcome === "unknown" || (end >= start && end < Infinity)))) {
      throw new RangeError(`operation ${id} starts at ${start} and ends at ${end}`);
    }
  }
}
