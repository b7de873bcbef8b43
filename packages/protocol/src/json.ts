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
  if (value === null || typeof value === "boolean" || typeof value === "string") {
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new RangeError(`JSON cannot hold the number ${value}`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object") throw new RangeError(`JSON cannot hold a ${typeof value}`);
  const members: string[] = [];
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object).sort()) {
    const member = object[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}

/** Orders strings by UTF-16 code unit; no locale takes part. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
