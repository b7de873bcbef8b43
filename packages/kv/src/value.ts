import type { Tree } from "./tree.ts";

/**
 * A JSON value as the store holds it. Objects are `Tree`s wherever they stand, so no key is special.
 *
 * A `bigint` is an integer outside the safe range and within -2^63 … 2^64-1; every other number is a `number`,
 * so equal numbers have one form. Never -0, NaN or an infinity. Values are shared between revisions: never changed.
 */
export type Value = null | boolean | number | bigint | string | readonly Value[] | Tree;
