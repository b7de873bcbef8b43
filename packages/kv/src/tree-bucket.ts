import { without } from "./tree-array.ts";
import type { Value } from "./value.ts";

/**
 * Two or more entries of a large tree whose hashes agree so far, by hash and then by key.
 *
 * All hashes come first, then key and value in turn. The hashes are those at the bucket's level; they lie together so
 * that a search touches little memory and reads one key. Never changed in place.
 */
export type Bucket = readonly (string | Value)[];

/** Entries that a bucket holds before it becomes a branch; below `levelMax` there is no bound. */
export const bucketMax = 16;

/** How many entries a bucket has. */
export function bucketSize(bucket: Bucket): number {
  // As an int32, or all that is computed from it would be a double.
  return (bucket.length / 3) | 0;
}

/** Key number `n`, from 0. */
export function bucketKey(bucket: Bucket, n: number): string {
  return bucket[bucketSize(bucket) + 2 * n] as string;
}

/** Value number `n`, from 0. */
export function bucketValue(bucket: Bucket, n: number): Value {
  return bucket[bucketSize(bucket) + 2 * n + 1] as Value;
}

/** Number of `key` among the entries, or the one that it would have. */
function numberOf(bucket: Bucket, hash: number, key: string): number {
  let low = 0;
  let high = bucketSize(bucket);
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = bucket[middle] as number;
    if (other < hash || (other === hash && bucketKey(bucket, middle) < key)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Value of `key`. */
export function findInBucket(bucket: Bucket, hash: number, key: string): Value | undefined {
  const n = numberOf(bucket, hash, key);
  return n < bucketSize(bucket) && bucketKey(bucket, n) === key
    ? bucketValue(bucket, n)
    : undefined;
}

/** A bucket in which `key` has `value`; the same one when it has it already. */
export function setInBucket(bucket: Bucket, hash: number, key: string, value: Value): Bucket {
  const n = numberOf(bucket, hash, key);
  const size = bucketSize(bucket);
  const place = size + 2 * n;
  if (n < size && bucket[place] === key) {
    if (bucket[place + 1] === value) return bucket;
    const copy = bucket.slice();
    copy[place + 1] = value;
    return copy;
  }
  const copy = new Array<string | Value>(bucket.length + 3);
  for (let i = 0; i < n; i += 1) copy[i] = bucket[i] as Value;
  copy[n] = hash;
  for (let i = n; i < place; i += 1) copy[i + 1] = bucket[i] as Value;
  copy[place + 1] = key;
  copy[place + 2] = value;
  for (let i = place; i < bucket.length; i += 1) copy[i + 3] = bucket[i] as Value;
  return copy;
}

/** A bucket without `key`, which it has. */
export function deleteFromBucket(bucket: Bucket, hash: number, key: string): Bucket {
  const n = numberOf(bucket, hash, key);
  return without(without(bucket, bucketSize(bucket) + 2 * n, 2), n, 1);
}
