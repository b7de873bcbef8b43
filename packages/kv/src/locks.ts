import { Tree } from "./tree.ts";
import type { Value } from "./value.ts";

/** The holders of a read lock; undefined when the value is none. */
export function readHolders(value: Value | undefined): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const holders: readonly Value[] = value;
  return holders.every(isString) ? holders : undefined;
}

function isString(value: Value): value is string {
  return typeof value === "string";
}

/** Whether nothing stands there, or an empty object, which counts as no lock. */
export function isUnlocked(value: Value | undefined): boolean {
  return value === undefined || (value instanceof Tree && value.size === 0);
}

/** Whether `by` may join the readers. */
export function canReadLock(value: Value | undefined, by: string): boolean {
  if (isUnlocked(value)) return true;
  const holders = readHolders(value);
  return holders !== undefined && !holders.includes(by);
}

/** Whether `by` is one of the readers. */
export function isReadLocked(value: Value | undefined, by: string): boolean {
  return readHolders(value)?.includes(by) === true;
}
