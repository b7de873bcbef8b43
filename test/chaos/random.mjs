/** Numbers that a seed fixes: the schedule of a run, and nothing else, is drawn from them. */
export function createRandom(seed) {
  let state = seed >>> 0;
  // mulberry32: short, and good enough to choose faults.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    /** A whole number from `low` up to and with `high`. */
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    pick: (list) => list[Math.floor(next() * list.length)],
    /** One of the entries of `[value, weight]`. */
    weighted(entries) {
      let at = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [value, weight] of entries) {
        at -= weight;
        if (at < 0) return value;
      }
      return entries.at(-1)[0];
    },
    shuffled(list) {
      const rest = [...list];
      const order = [];
      while (rest.length > 0) order.push(...rest.splice(Math.floor(next() * rest.length), 1));
      return order;
    },
  };
}
