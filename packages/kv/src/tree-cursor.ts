import { type Bucket, bucketSize } from "./tree-bucket.ts";
import { Branch } from "./tree-node.ts";
import type { Pairs } from "./tree-pairs.ts";
import type { Value } from "./value.ts";

/** Slots of one node: keys and values from `next` to `entriesEnd`, then nodes. */
interface Level {
  readonly slots: readonly unknown[];
  readonly entriesEnd: number;
  next: number;
}

/**
 * A place in a tree's entries; it can wait between two of them for as long as it likes.
 *
 * Stands before the first entry when it is made. A tree that is changed in place under it gives undefined results.
 */
export class TreeCursor {
  /** Key of the entry that the cursor stands on. */
  key = "";
  /** Value of the entry that the cursor stands on. */
  value: Value = null;
  #level: Level;
  readonly #above: Level[] = [];

  constructor(root: Branch | Pairs) {
    this.#level =
      root instanceof Branch ? levelOf(root) : { slots: root, entriesEnd: root.length, next: 0 };
  }

  /** Moves to the next entry; false when there is none. */
  advance(): boolean {
    for (;;) {
      const level = this.#level;
      const { slots, next } = level;
      if (next < level.entriesEnd) {
        this.key = slots[next] as string;
        this.value = slots[next + 1] as Value;
        level.next = next + 2;
        return true;
      }
      if (next < slots.length) {
        level.next = next + 1;
        this.#above.push(level);
        this.#level = levelOf(slots[next] as Branch | Bucket);
      } else {
        const above = this.#above.pop();
        if (above === undefined) return false;
        this.#level = above;
      }
    }
  }
}

function levelOf(node: Branch | Bucket): Level {
  if (!(node instanceof Branch)) {
    return { slots: node, entriesEnd: node.length, next: bucketSize(node) };
  }
  let nodes = 0;
  for (let bits = node.nodeMap; bits !== 0; bits &= bits - 1) nodes += 1;
  return { slots: node.slots, entriesEnd: node.slots.length - nodes, next: 0 };
}
