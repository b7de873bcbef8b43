import { Tree } from "./tree.ts";
import type { Value } from "./value.ts";

/** Whether two values are the same: numbers by value, arrays in order, objects in any order, nothing coerced. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  // A list of pairs still to compare rather than recursion: values that paths built may be deeper than the stack.
  const pending: Value[] = [a, b];
  while (pending.length > 0) {
    const right = pending.pop() as Value;
    const left = pending.pop() as Value;
    if (left !== right && !alike(left, right, pending)) return false;
  }
  return true;
}

/** Whether two values agree at the top; what is left to compare joins `pending`. */
function alike(a: Value, b: Value, pending: Value[]): boolean {
  if (a instanceof Tree) return b instanceof Tree && treesAlike(a, b, pending);
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i += 1) pending.push(a[i] as Value, b[i] as Value);
    return true;
  }
  return isNumeric(a) && isNumeric(b) && a >= b && a <= b;
}

function treesAlike(a: Tree, b: Tree, pending: Value[]): boolean {
  if (a.size !== b.size) return false;
  if (a.sharesAll(b)) return true;
  // Equal keys come in equal order, so both are walked side by side.
  const left = a.cursor();
  const right = b.cursor();
  while (left.advance() && right.advance()) {
    if (left.key !== right.key) return false;
    if (left.value !== right.value) pending.push(left.value, right.value);
  }
  return true;
}

/** A number and a bigint are compared exactly by `<` and its kin. */
function isNumeric(value: Value): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** Compares in the byte order of UTF-8: negative, 0 or positive. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return codeOrder(left) - codeOrder(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for the characters beyond U+FFFF, so they come after all other units. */
function codeOrder(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
