import { branchOf, deleteFromBranch, findInBranch, setInBranch } from "./tree-branch.ts";
import { TreeCursor } from "./tree-cursor.ts";
import { Branch, Edit } from "./tree-node.ts";
import { deleteFromPairs, findInPairs, type Pairs, setInPairs } from "./tree-pairs.ts";
import type { Value } from "./value.ts";

export { Edit };

/** Up to this many entries lie in one sorted array. */
const smallMax = 8;

/**
 * A map from strings to values that shares structure with the maps that it was made from.
 *
 * Without an `Edit` no operation changes a tree. Equal content gives equal order of entries, whatever the history: by
 * UTF-16 units up to eight entries, by hash beyond. Every string is an ordinary key. A value must not be undefined.
 */
export class Tree {
  /** The tree without entries. */
  static readonly empty: Tree = new Tree([], 0, null);

  #root: Branch | Pairs;
  #size: number;
  readonly #edit: Edit | null;

  private constructor(root: Branch | Pairs, size: number, edit: Edit | null) {
    this.#root = root;
    this.#size = size;
    this.#edit = edit;
  }

  /** How many entries the tree has. */
  get size(): number {
    return this.#size;
  }

  /** The value under `key`, or undefined when there is none. */
  get(key: string): Value | undefined {
    const root = this.#root;
    return root instanceof Branch ? findInBranch(root, key) : findInPairs(root, key);
  }

  /** Whether there is a value under `key`. */
  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /**
   * A tree in which `key` has `value`; this tree when it is the same value already.
   *
   * With the token that this tree was made under, it is this tree, changed in place.
   */
  set(key: string, value: Value, edit?: Edit): Tree {
    const owner = edit ?? null;
    const root = this.#root;
    if (root instanceof Branch) {
      const next = setInBranch(root, key, value, owner);
      if (next !== root) return this.become(next, next.size, owner);
      // The same root has nothing new in it, or was changed in place and so belongs to this tree alone.
      this.#size = root.size;
      return this;
    }
    const pairs = setInPairs(root, key, value);
    if (pairs === root) return this;
    const size = pairs.length >> 1;
    return this.become(size > smallMax ? branchOf(pairs, owner) : pairs, size, owner);
  }

  /** A tree without `key`; this tree when it has none. In place as `set` is. */
  delete(key: string, edit?: Edit): Tree {
    if (!this.has(key)) return this;
    const owner = edit ?? null;
    const size = this.#size - 1;
    let root = this.#root;
    if (root instanceof Branch) {
      root = deleteFromBranch(root, key, owner);
      if (size <= smallMax) root = sortedPairs(root);
    } else root = deleteFromPairs(root, key);
    return this.become(root, size, owner);
  }

  /** All entries, in an order that depends on the content alone. */
  *entries(): IterableIterator<[string, Value]> {
    const cursor = this.cursor();
    while (cursor.advance()) yield [cursor.key, cursor.value];
  }

  /** All keys, in the order of `entries`. */
  *keys(): IterableIterator<string> {
    const cursor = this.cursor();
    while (cursor.advance()) yield cursor.key;
  }

  /** A cursor before the first entry: what `entries` gives, without an array for each. */
  cursor(): TreeCursor {
    return new TreeCursor(this.#root);
  }

  /** Whether both have the same nodes, so that nothing in them needs to be compared. */
  sharesAll(other: Tree): boolean {
    return this.#root === other.#root;
  }

  // Not `#become`: tsc 7.0.2 then writes `static empty` with an alias of the class that is not yet set.
  private become(root: Branch | Pairs, size: number, edit: Edit | null): Tree {
    if (edit === null || this.#edit !== edit) return new Tree(root, size, edit);
    this.#root = root;
    this.#size = size;
    return this;
  }
}

/** A tree of the entries given; of equal keys the last counts. */
export function treeOf(entries: Iterable<readonly [string, Value]>): Tree {
  const edit = new Edit();
  let tree = Tree.empty;
  for (const [key, value] of entries) tree = tree.set(key, value, edit);
  return tree;
}

function sortedPairs(root: Branch): Pairs {
  const cursor = new TreeCursor(root);
  let pairs: Pairs = [];
  while (cursor.advance()) pairs = setInPairs(pairs, cursor.key, cursor.value);
  return pairs;
}
