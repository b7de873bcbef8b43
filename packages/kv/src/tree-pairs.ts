import { without, withRoom } from "./tree-array.ts";
import type { Value } from "./value.ts";

/** Keys and values in turn, sorted by key: a small tree. Never changed in place. */
export type Pairs = readonly (string | Value)[];

/** Value of `key`. */
export function findInPairs(pairs: Pairs, key: string): Value | undefined {
  for (let at = 0; at < pairs.length; at += 2) {
    if (pairs[at] === key) return pairs[at + 1] as Value;
  }
  return undefined;
}

/** Pairs in which `key` has `value`; the same pairs when it has it already. */
export function setInPairs(pairs: Pairs, key: string, value: Value): Pairs {
  if (pairs.length === 0) return [key, value];
  let place = 0;
  while (place < pairs.length && (pairs[place] as string) < key) place += 2;
  if (place < pairs.length && pairs[place] === key) {
    if (pairs[place + 1] === value) return pairs;
    const copy = pairs.slice();
    copy[place + 1] = value;
    return copy;
  }
  const copy = withRoom(pairs, place, 2);
  copy[place] = key;
  copy[place + 1] = value;
  return copy;
}

/** Pairs without `key`, which they have. */
export function deleteFromPairs(pairs: Pairs, key: string): Pairs {
  let place = 0;
  while (pairs[place] !== key) place += 2;
  return without(pairs, place, 2);
}
