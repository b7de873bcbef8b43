/** 32 well mixed bits and the generator's next state (splitmix32); equal states give equal draws. */
export function nextRandom(random: number): readonly [value: number, random: number] {
  const next = (random + 0x9e3779b9) | 0;
  let value = next ^ (next >>> 16);
  value = Math.imul(value, 0x21f0aaad);
  value ^= value >>> 15;
  value = Math.imul(value, 0x735a2d97);
  return [(value ^ (value >>> 15)) >>> 0, next];
}

/** Another number for another text, so that members with one seed do not draw alike (FNV-1a). */
export function hashText(text: string, seed: number): number {
  let hash = (seed ^ 0x811c9dc5) | 0;
  for (let at = 0; at < text.length; at += 1)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash | 0;
}
