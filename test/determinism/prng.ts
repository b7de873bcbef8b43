/** A stream of numbers in [0, 1) that its seed decides: mulberry32. */
export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number from 0 to `below` - 1. */
export function pick(random: Random, below: number): number {
  return Math.floor(random() * below);
}

export function oneOf<T>(random: Random, items: readonly T[]): T {
  const item = items[pick(random, items.length)];
  if (item === undefined) throw new RangeError("there is nothing to choose from");
  return item;
}

export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const other = pick(random, last + 1);
    const [a, b] = [result[last], result[other]];
    if (a === undefined || b === undefined) continue;
    result[last] = b;
    result[other] = a;
  }
  return result;
}

/** The same JSON value, whose objects got their members in another order. */
export function disordered(random: Random, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => disordered(random, each));
  if (typeof value !== "object" || value === null) return value;
  const members = shuffled(random, Object.entries(value));
  return Object.fromEntries(members.map(([name, member]) => [name, disordered(random, member)]));
}
