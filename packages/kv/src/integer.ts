import type { Value } from "./value.ts";

const least = -(2n ** 63n);
const greatest = 2n ** 64n - 1n;

/**
 * Sum of the whole parts of two numbers, in the form in which the store holds it.
 *
 * Undefined when it is not within -2^63 … 2^64-1.
 */
export function addWhole(a: number | bigint, b: number | bigint): Value | undefined {
  if (typeof a === "number" && typeof b === "number") {
    // The zero turns -0 into 0.
    const sum = Math.trunc(a) + Math.trunc(b) + 0;
    if (Number.isSafeInteger(sum) && isWithinSafe(a) && isWithinSafe(b)) return sum;
  }
  const sum = whole(a) + whole(b);
  if (sum < least || sum > greatest) return undefined;
  const narrow = Number(sum);
  return Number.isSafeInteger(narrow) ? narrow : sum;
}

function isWithinSafe(n: number): boolean {
  return Math.abs(n) <= Number.MAX_SAFE_INTEGER;
}

function whole(n: number | bigint): bigint {
  return typeof n === "bigint" ? n : BigInt(Math.trunc(n));
}

/** The number with the other sign. */
export function negated(n: number | bigint): number | bigint {
  return typeof n === "bigint" ? -n : -n;
}

/** Whether the value is a number, of either form. */
export function isNumeric(value: Value | undefined): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
