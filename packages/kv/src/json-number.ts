const integerMin = -(2n ** 63n);
const integerMax = 2n ** 64n - 1n;

/** The one form of an integer: a number if it is safe, a bigint up to -2^63 and 2^64-1, else the nearest double. */
export function integerOf(integer: bigint): number | bigint {
  const double = Number(integer);
  if (Number.isSafeInteger(double)) return double;
  if (integer >= integerMin && integer <= integerMax) return integer;
  // Integers just below -2^63 round up to it, and that has its own form.
  return double === Number(integerMin) ? integerMin : double;
}

/** The one form of a finite double: never -0, and a bigint where `integerOf` gives one. */
export function numberOf(double: number): number | bigint {
  if (Number.isSafeInteger(double)) return double + 0;
  return Number.isInteger(double) && Math.abs(double) < 2 ** 64
    ? integerOf(BigInt(double))
    : double;
}

/** The value of a JSON number; undefined when it is beyond all doubles. */
export function parseNumber(text: string): number | bigint | undefined {
  // Twenty characters hold every integer with a form of its own, and BigInt takes quadratic time on long ones.
  if (text.length <= 20 && !/[.eE]/.test(text)) return integerOf(BigInt(text));
  const double = Number(text);
  return Number.isFinite(double) ? numberOf(double) : undefined;
}
