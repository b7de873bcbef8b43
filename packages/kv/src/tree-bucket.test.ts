import { expect, test } from "vitest";
import { levelMax } from "./hash.ts";
import { setInBranch } from "./tree-branch.ts";
import {
  type Bucket,
  bucketKey,
  bucketSize,
  deleteFromBucket,
  findInBucket,
  setInBucket,
} from "./tree-bucket.ts";
import { Branch } from "./tree-node.ts";

const keys = Array.from({ length: 200 }, (_, i) => `key ${(i * 37) % 200}`);

test("keys of one hash are in the order of the keys, and each is found and taken out", () => {
  const full = keys.reduce<Bucket>((bucket, key) => setInBucket(bucket, 7, key, key), []);
  expect(keys.map((_, n) => bucketKey(full, n))).toEqual(keys.toSorted());
  expect(keys.filter((key) => findInBucket(full, 7, key) !== key)).toEqual([]);
  expect(findInBucket(full, 7, "key")).toBeUndefined();
  expect(findInBucket(full, 7, "key z")).toBeUndefined();
  expect(keys.reduce((bucket, key) => deleteFromBucket(bucket, 7, key), full)).toEqual([]);
});

test("keys that all hashes leave together stay in one bucket at the lowest level", () => {
  let branch = new Branch(null, 0, 0, 0, []);
  for (const key of keys) branch = setInBranch(branch, key, 1, null, levelMax - 1, 0);
  expect(branch.slots).toHaveLength(1);
  expect(bucketSize(branch.slots[0] as Bucket)).toBe(200);
});
