import type { ReadTransaction, TransactItem, WriteTransaction } from "./transaction.ts";

/** A body that was refused whole: nothing of it was done. `body` is the JSON text of the answer. */
export interface BadRequest {
  readonly ok: false;
  readonly status: 400 | 418 | 500;
  readonly message: string;
  readonly body: string;
}

export type ReadRequest = { readonly ok: true; readonly reads: readonly ReadTransaction[] };
export type WriteRequest = { readonly ok: true; readonly writes: readonly WriteTransaction[] };
export type TransactRequest = { readonly ok: true; readonly items: readonly TransactItem[] };
export type InquireRequest = { readonly ok: true; readonly ids: readonly string[] };

/** Body of `read`. */
export function parseReadRequest(_text: string): ReadRequest | BadRequest {
  throw new Error("not built");
}

/** Body of `write`. */
export function parseWriteRequest(_text: string): WriteRequest | BadRequest {
  throw new Error("not built");
}

/** Body of `transact`. */
export function parseTransactRequest(_text: string): TransactRequest | BadRequest {
  throw new Error("not built");
}

/** Body of `transient`. */
export function parseTransientRequest(_text: string): TransactRequest | BadRequest {
  throw new Error("not built");
}

/** Body of `inquire`. */
export function parseInquireRequest(_text: string): InquireRequest | BadRequest {
  throw new Error("not built");
}

/**
 * A write of the store's own, from the JSON text of its operations; it may touch `.agency`.
 *
 * Throws when the text is no operations.
 */
export function ownTransaction(_operations: string): WriteTransaction {
  throw new Error("not built");
}
