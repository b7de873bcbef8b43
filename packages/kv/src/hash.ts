/** Bits of a hash that choose a slot at one level of a trie. */
export const levelBits = 5;
/** Levels that one hash serves: 30 of its 32 bits. */
const levelsPerRound = 6;
/** Below this level keys are not told apart by hashes any more. */
export const levelMax = 24;

/** One odd factor a round, so that keys that collide in one round are apart in the next. */
const factors = [0x01000193, 0x2c1b3c6d | 0, 0x297a2d39 | 0, 0x1b56c4e9 | 0] as const;

/**
 * Hash of a key, an int32, the same on every machine.
 *
 * `round` 0 to 3 chooses one of four hashes. Anyone can make many keys with one equal hash; keys for which all four
 * are equal take so many characters each that a request has no room for more than a few.
 */
export function hashOf(key: string, round: number): number {
  const factor = factors[round] ?? 1;
  let hash = 0x811c9dc5 ^ (round + 1);
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), factor);
  // The trie takes the low bits first; they have to depend on the high ones.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** What is left at `level` of the hash of `key`: the lowest `levelBits` bits choose the slot there. */
export function hashAt(key: string, level: number): number {
  return hashOf(key, (level / levelsPerRound) | 0) >>> (levelBits * (level % levelsPerRound));
}

/** `hashAt` one level deeper than `hash`, which was that of `key` at `level`. */
export function nextHash(hash: number, key: string, level: number): number {
  const next = level + 1;
  return next % levelsPerRound === 0 ? hashAt(key, next) : hash >>> levelBits;
}
