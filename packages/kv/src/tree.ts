import type { Value } from "./value.ts";

/**
 * A token of ownership: what was made under it may be changed in place by later operations with the same token.
 *
 * Make one for each piece of work, and drop it when the result is shown to others.
 */
export class Edit {
  /** Only tells one token from another. */
  protected readonly token = true;
}

/**
 * A map from strings to values that shares structure with the maps that it was made from.
 *
 * Without an `Edit` no operation changes a tree. Equal content gives equal order of entries, whatever the history.
 */
export class Tree {
  /** The tree without entries. */
  static readonly empty: Tree = new Tree();

  /** How many entries the tree has. */
  get size(): number {
    throw new Error("not built");
  }

  /** The value under `key`, or undefined when there is none. */
  get(_key: string): Value | undefined {
    throw new Error("not built");
  }

  /** Whether there is a value under `key`. */
  has(_key: string): boolean {
    throw new Error("not built");
  }

  /**
   * A tree in which `key` has `value`.
   *
   * With the token that this tree was made under, it is this tree, changed in place.
   */
  set(_key: string, _value: Value, _edit?: Edit): Tree {
    throw new Error("not built");
  }

  /** A tree without `key`; this tree when it has none. In place as `set` is. */
  delete(_key: string, _edit?: Edit): Tree {
    throw new Error("not built");
  }

  /** All entries, in an order that depends on the content alone. */
  entries(): IterableIterator<[string, Value]> {
    throw new Error("not built");
  }

  /** All keys, in the order of `entries`. */
  keys(): IterableIterator<string> {
    throw new Error("not built");
  }
}

/** A tree of the entries given; of equal keys the last counts. */
export function treeOf(_entries: Iterable<readonly [string, Value]>): Tree {
  throw new Error("not built");
}
