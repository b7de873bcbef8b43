/**
 * A list as a value that shares its items with the lists it came from.
 *
 * Pushing onto the newest list of a family costs O(1): it writes behind the end of all the others, which do not
 * look there. Pushing onto an older one copies.
 */
export interface Vector<T> {
  /** Owned by this file; nobody else writes to it. */
  readonly items: T[];
  readonly start: number;
  readonly end: number;
}

/** A list of these items, which the caller gives away. */
export function vectorOf<T>(items: T[]): Vector<T> {
  return { items, start: 0, end: items.length };
}

export function lengthOf<T>(vector: Vector<T>): number {
  return vector.end - vector.start;
}

/** The item at a position from 0; undefined outside. */
export function itemAt<T>(vector: Vector<T>, position: number): T | undefined {
  const at = vector.start + position;
  return position >= 0 && at < vector.end ? vector.items[at] : undefined;
}

export function push<T>(vector: Vector<T>, item: T): Vector<T> {
  if (vector.items.length !== vector.end) {
    const items = vector.items.slice(vector.start, vector.end);
    items.push(item);
    return vectorOf(items);
  }
  vector.items.push(item);
  return { items: vector.items, start: vector.start, end: vector.end + 1 };
}

/** Without the first `count` items; gives their memory back once they are more than half. */
export function dropFirst<T>(vector: Vector<T>, count: number): Vector<T> {
  const start = vector.start + count;
  if (start * 2 > vector.items.length) return vectorOf(vector.items.slice(start, vector.end));
  return { items: vector.items, start, end: vector.end };
}

/** The first `count` items. */
export function keepFirst<T>(vector: Vector<T>, count: number): Vector<T> {
  return { items: vector.items, start: vector.start, end: vector.start + count };
}

/** Items at positions `from` up to, not including, `to`. */
export function sliceOf<T>(vector: Vector<T>, from: number, to: number): T[] {
  return vector.items.slice(vector.start + from, Math.min(vector.start + to, vector.end));
}
