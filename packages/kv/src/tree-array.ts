// Copies of the exact size: an array that grew by push keeps room for sixteen more.

/** A copy of `slots` without `count` of them at `place`. */
export function without<T>(slots: readonly T[], place: number, count: number): T[] {
  const copy = new Array<T>(slots.length - count);
  for (let i = 0; i < place; i += 1) copy[i] = slots[i] as T;
  for (let i = place + count; i < slots.length; i += 1) copy[i - count] = slots[i] as T;
  return copy;
}

/** A copy of `slots` with room for `count` more at `place`, which the caller fills. */
export function withRoom<T>(slots: readonly T[], place: number, count: number): T[] {
  const copy = new Array<T>(slots.length + count);
  for (let i = 0; i < place; i += 1) copy[i] = slots[i] as T;
  for (let i = place; i < slots.length; i += 1) copy[i + count] = slots[i] as T;
  return copy;
}
