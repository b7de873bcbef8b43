import { z } from "zod";

/** A JSON value: all that crosses a thread, a node or a file. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

export type JsonObject = { readonly [key: string]: Json };

/** Parses any JSON value. */
export const JsonValue: z.ZodType<Json> = z.json() as z.ZodType<Json>;

/**
 * The one encoding that is hashed and compared: object keys sorted by UTF-16 code unit, no white space.
 *
 * Members that are `undefined` are left out. Throws a `RangeError` on a number that JSON cannot hold
 * (NaN, infinities), because writing it as null would change it silently.
 */
export function canonicalJson(value: unknown): string {
  const ordered = inOrder(value);
  return ordered === unorderable ? spelled(value) : JSON.stringify(ordered);
}

/** In place of what no object can hold in that order, or what `JSON.stringify` writes in a way of its own. */
const unorderable = Symbol("unorderable");

/** The value itself where its members are sorted already, as those of most are, else a copy in which they are. */
function inOrder(value: unknown): unknown {
  if (value === null || typeof value !== "object") {
    assertScalar(value);
    return value;
  }
  return Array.isArray(value) ? arrayInOrder(value) : objectInOrder(value);
}

function arrayInOrder(value: readonly unknown[]): unknown {
  let copy: unknown[] | undefined;
  for (let at = 0; at < value.length; at += 1) {
    const ordered = inOrder(value[at]);
    if (ordered === unorderable) return unorderable;
    if (ordered === value[at]) continue;
    copy ??= [...value];
    copy[at] = ordered;
  }
  return copy ?? value;
}

function objectInOrder(value: object): unknown {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return unorderable;
  if ("toJSON" in value) return unorderable;
  const object = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(object);
  let isSorted = true;
  let replaced: Map<string, unknown> | undefined;
  for (let at = 0; at < keys.length; at += 1) {
    const key = keys[at] as string;
    if (at > 0 && key < (keys[at - 1] as string)) isSorted = false;
    const member = object[key];
    if (member === undefined) continue;
    const ordered = inOrder(member);
    if (ordered === unorderable) return unorderable;
    if (ordered === member) continue;
    replaced ??= new Map();
    replaced.set(key, ordered);
  }
  if (isSorted && replaced === undefined) return value;
  const copy: Record<string, unknown> = {};
  for (const key of isSorted ? keys : keys.sort()) {
    // Numbers come first in an object whatever was written first, and `__proto__` is no member.
    if (/^(\d|__proto__$)/.test(key)) return unorderable;
    copy[key] = replaced?.get(key) ?? object[key];
  }
  return copy;
}

function assertScalar(value: unknown): void {
  if (value === null || typeof value === "boolean" || typeof value === "string") return;
  if (typeof value !== "number") throw new RangeError(`JSON cannot hold a ${typeof value}`);
  if (!Number.isFinite(value)) throw new RangeError(`JSON cannot hold the number ${value}`);
}

/** Member by member. */
function spelled(value: unknown): string {
  if (value === null || typeof value !== "object") {
    assertScalar(value);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(spelled).join(",")}]`;
  const members: string[] = [];
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object).sort()) {
    const member = object[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${spelled(member)}`);
  }
  return `{${members.join(",")}}`;
}

/** Orders strings by UTF-16 code unit; no locale takes part. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
