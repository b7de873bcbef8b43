import type { Value } from "./value.ts";

/** Paths that are read at one instant, as the client spelled them. */
export type ReadTransaction = readonly string[];

/** `[operations, preconditions?, clientId?]`, checked for shape. */
export interface WriteTransaction {
  /** Normalised path → what to do, sorted bytewise by path. */
  readonly operations: readonly (readonly [path: string, operation: Value])[];
  /** The operations as the client sent them; this is what is logged. */
  readonly text: string;
  readonly preconditions: readonly (readonly [path: string, condition: Value])[];
  readonly clientId: string | null;
  /** Touches `.agency`. */
  readonly forbidden: boolean;
}

export type TransactItem =
  | { readonly type: "read"; readonly read: ReadTransaction }
  | { readonly type: "write"; readonly write: WriteTransaction };
