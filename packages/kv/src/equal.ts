import type { Value } from "./value.ts";

/** Whether two values are the same: numbers by value, arrays in order, objects in any order, nothing coerced. */
export function equal(_a: Value, _b: Value): boolean {
  throw new Error("not built");
}

/** Compares in the byte order of UTF-8: negative, 0 or positive. */
export function compareKeys(_a: string, _b: string): number {
  throw new Error("not built");
}
