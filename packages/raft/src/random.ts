/** 32 well mixed bits and the generator's next state (splitmix32); equal states give equal draws. */
export function nextRandom(random: number): readonly [value: number, random: number] {
  const next = (random + 0x9e3779b9) | 0;
  let value = next ^ (next >>> 16);
  value = Math.imul(value, 0x21f0aaad);
  value ^= value >>> 15;
  value = Math.imul(value, 0x735a2d97);
  return [(value ^ (value >>> 15)) >>> 0, next];
}

/**
 * Where a member's generator begins, from the seed of its start and its id (FNV-1a).
 *
 * Two members must never draw alike: they would stand for election at the same tick for ever.
 */
export function firstRandom(id: string, seed: number): number {
  // Mixed first: seeds are often counted up, and ids differ in few bits, so one could undo the other.
  let [hash] = nextRandom(seed | 0);
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return hash | 0;
}
