import { hashAt, levelBits, levelMax, nextHash } from "./hash.ts";
import { without, withRoom } from "./tree-array.ts";
import {
  type Bucket,
  bucketKey,
  bucketMax,
  bucketSize,
  bucketValue,
  deleteFromBucket,
  findInBucket,
  setInBucket,
} from "./tree-bucket.ts";
import { TreeCursor } from "./tree-cursor.ts";
import { Branch, Edit, type Slot } from "./tree-node.ts";
import type { Value } from "./value.ts";

const fragmentMask = (1 << levelBits) - 1;

function bitCount(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function keyPlace(node: Branch, bit: number): number {
  return 2 * bitCount(node.keyMap & (bit - 1));
}

function nodePlace(node: Branch, bit: number): number {
  return 2 * bitCount(node.keyMap) + bitCount(node.nodeMap & (bit - 1));
}

/** Value of `key` under a root. */
export function findInBranch(root: Branch, key: string): Value | undefined {
  let node = root;
  let hash = hashAt(key, 0);
  for (let level = 0; ; level += 1) {
    const bit = 1 << (hash & fragmentMask);
    if ((node.keyMap & bit) !== 0) {
      const place = keyPlace(node, bit);
      return node.slots[place] === key ? (node.slots[place + 1] as Value) : undefined;
    }
    if ((node.nodeMap & bit) === 0) return undefined;
    const child = node.slots[nodePlace(node, bit)] as Branch | Bucket;
    hash = nextHash(hash, key, level);
    if (!(child instanceof Branch)) return findInBucket(child, hash, key);
    node = child;
  }
}

/**
 * A branch in which `key` has `value`; the same one when it has it already.
 *
 * `hash` is that of `key` at `level`. In place when `edit` owns `node`.
 */
export function setInBranch(
  node: Branch,
  key: string,
  value: Value,
  edit: Edit | null,
  level = 0,
  hash = hashAt(key, 0),
): Branch {
  const bit = 1 << (hash & fragmentMask);
  if ((node.keyMap & bit) !== 0) {
    const place = keyPlace(node, bit);
    if (node.slots[place] === key) {
      return node.slots[place + 1] === value
        ? node
        : withSlot(node, place + 1, value, node.size, edit);
    }
    const below = nextHash(hash, key, level);
    return withBucket(node, bit, level, setInBucket([], below, key, value), edit);
  }
  if ((node.nodeMap & bit) !== 0) {
    const place = nodePlace(node, bit);
    const child = node.slots[place] as Branch | Bucket;
    // Read now: a child that is changed in place has another size after that.
    const others = node.size - sizeOf(child);
    const below = nextHash(hash, key, level);
    const next =
      child instanceof Branch
        ? setInBranch(child, key, value, edit, level + 1, below)
        : grown(setInBucket(child, below, key, value), level + 1, edit);
    const size = others + sizeOf(next);
    return next === child && size === node.size ? node : withSlot(node, place, next, size, edit);
  }
  const place = keyPlace(node, bit);
  const slots = withRoom(node.slots, place, 2);
  slots[place] = key;
  slots[place + 1] = value;
  return rebuilt(node, node.size + 1, node.keyMap | bit, node.nodeMap, slots, edit);
}

/** A branch without `key`, which it has; `hash` is that of `key` at `level`. In place when `edit` owns `node`. */
export function deleteFromBranch(
  node: Branch,
  key: string,
  edit: Edit | null,
  level = 0,
  hash = hashAt(key, 0),
): Branch {
  const bit = 1 << (hash & fragmentMask);
  const size = node.size - 1;
  if ((node.keyMap & bit) !== 0) {
    const slots = without(node.slots, keyPlace(node, bit), 2);
    return rebuilt(node, size, node.keyMap ^ bit, node.nodeMap, slots, edit);
  }
  const place = nodePlace(node, bit);
  const child = node.slots[place] as Branch | Bucket;
  const below = nextHash(hash, key, level);
  if (child instanceof Branch) {
    const next = deleteFromBranch(child, key, edit, level + 1, below);
    return withSlot(node, place, shrunk(next, level + 1), size, edit);
  }
  const next = deleteFromBucket(child, below, key);
  return bucketSize(next) > 1
    ? withSlot(node, place, next, size, edit)
    : withEntryOf(node, bit, next, edit);
}

/** A root for entries that are too many for a small tree: keys and values in turn. */
export function branchOf(pairs: readonly (string | Value)[], edit: Edit | null): Branch {
  const owner = edit ?? new Edit();
  let root = new Branch(owner, 0, 0, 0, []);
  for (let at = 0; at < pairs.length; at += 2) {
    root = setInBranch(root, pairs[at] as string, pairs[at + 1] as Value, owner);
  }
  return root;
}

function sizeOf(node: Branch | Bucket): number {
  return node instanceof Branch ? node.size : bucketSize(node);
}

/** The entry at `bit` joins `bucket` and stands below the branch from now on. */
function withBucket(
  node: Branch,
  bit: number,
  level: number,
  bucket: Bucket,
  edit: Edit | null,
): Branch {
  const place = keyPlace(node, bit);
  const key = node.slots[place] as string;
  const value = node.slots[place + 1] as Value;
  const at = nodePlace(node, bit) - 2;
  const slots = withRoom(without(node.slots, place, 2), at, 1);
  slots[at] = setInBucket(bucket, hashAt(key, level + 1), key, value);
  return rebuilt(node, node.size + 1, node.keyMap ^ bit, node.nodeMap | bit, slots, edit);
}

/** The last entry of a bucket stands in the branch above again. */
function withEntryOf(node: Branch, bit: number, bucket: Bucket, edit: Edit | null): Branch {
  const place = keyPlace(node, bit);
  const slots = withRoom(without(node.slots, nodePlace(node, bit), 1), place, 2);
  slots[place] = bucketKey(bucket, 0);
  slots[place + 1] = bucketValue(bucket, 0);
  return rebuilt(node, node.size - 1, node.keyMap | bit, node.nodeMap ^ bit, slots, edit);
}

/** The branch that a bucket of `level` has to become, or the bucket. */
function grown(bucket: Bucket, level: number, edit: Edit | null): Branch | Bucket {
  if (bucketSize(bucket) <= bucketMax || level === levelMax) return bucket;
  const owner = edit ?? new Edit();
  let branch = new Branch(owner, 0, 0, 0, []);
  for (let n = 0; n < bucketSize(bucket); n += 1) {
    const hash = bucket[n] as number;
    const key = bucketKey(bucket, n);
    branch = setInBranch(branch, key, bucketValue(bucket, n), owner, level, hash);
  }
  return branch;
}

/** The bucket that a branch of `level` has to become, or the branch. */
function shrunk(branch: Branch, level: number): Branch | Bucket {
  if (branch.size > bucketMax) return branch;
  let bucket: Bucket = [];
  const cursor = new TreeCursor(branch);
  while (cursor.advance()) {
    bucket = setInBucket(bucket, hashAt(cursor.key, level), cursor.key, cursor.value);
  }
  return bucket;
}

function withSlot(
  node: Branch,
  place: number,
  slot: Slot,
  size: number,
  edit: Edit | null,
): Branch {
  if (edit !== null && node.edit === edit) {
    node.slots[place] = slot;
    node.size = size;
    return node;
  }
  const slots = node.slots.slice();
  slots[place] = slot;
  return new Branch(edit, size, node.keyMap, node.nodeMap, slots);
}

function rebuilt(
  node: Branch,
  size: number,
  keyMap: number,
  nodeMap: number,
  slots: Slot[],
  edit: Edit | null,
): Branch {
  if (edit === null || node.edit !== edit) return new Branch(edit, size, keyMap, nodeMap, slots);
  node.size = size;
  node.keyMap = keyMap;
  node.nodeMap = nodeMap;
  node.slots = slots;
  return node;
}
