import type { Bucket } from "./tree-bucket.ts";
import type { Value } from "./value.ts";

/**
 * A token of ownership: what was made under it may be changed in place by later operations with the same token.
 *
 * Make one for each piece of work, and drop it when the result is shown to others.
 */
export class Edit {
  // With no member of its own, every object would pass for a token.
  readonly #self = this;

  /** Whether `other` is this token. */
  is(other: Edit | null): boolean {
    return this.#self === other;
  }
}

/** What a slot of a branch holds. */
export type Slot = string | Value | Branch | Bucket;

/**
 * A node of a hash-array-mapped trie (Bagwell 2001), laid out as Steindorfer and Vinju do (2015), with buckets.
 *
 * Canonical, so that equal content has equal nodes: below a root one entry stands in the branch above, 2 to
 * `bucketMax` are a bucket, and more are a branch.
 */
export class Branch {
  readonly edit: Edit | null;
  /** Entries here and below. */
  size: number;
  /** Bit n: slot n is one entry. */
  keyMap: number;
  /** Bit n: slot n is a node. */
  nodeMap: number;
  /** Key and value of each bit of `keyMap`, then the node of each bit of `nodeMap`. */
  slots: Slot[];

  constructor(edit: Edit | null, size: number, keyMap: number, nodeMap: number, slots: Slot[]) {
    this.edit = edit;
    this.size = size;
    this.keyMap = keyMap;
    this.nodeMap = nodeMap;
    this.slots = slots;
  }
}
