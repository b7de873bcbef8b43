import { isNumeric } from "./integer.ts";
import { type Edit, Tree } from "./tree.ts";
import type { Value } from "./value.ts";

// No segment of a path is empty, so the empty key is free for the instant.
const instantKey = "";

/** The node's instant of expiry, ms of log time; undefined when only something below it expires. */
export function expiryOf(node: Tree): number | undefined {
  const at = node.get(instantKey);
  return typeof at === "number" ? at : undefined;
}

/** Whether what stands at this node of the table has expired. */
export function isExpired(node: Tree | null, now: number): boolean {
  if (node === null) return false;
  const at = expiryOf(node);
  return at !== undefined && at <= now;
}

/** The table below `key`. */
export function ttlChild(node: Tree | null, key: string): Tree | null {
  if (node === null || key === instantKey) return null;
  const child = node.get(key);
  return child instanceof Tree ? child : null;
}

/** The part of the table that begins at the path. */
export function ttlsAt(ttls: Tree | null, segments: readonly string[]): Tree | null {
  let node = ttls;
  for (const key of segments) node = ttlChild(node, key);
  return node;
}

/** The table in which nothing at or below the path expires but, unless it is null, the path itself at `expiry`. */
export function withExpiry(
  node: Tree | null,
  segments: readonly string[],
  expiry: number | null,
  edit: Edit,
  depth = 0,
): Tree | null {
  if (depth === segments.length) {
    return expiry === null ? null : Tree.empty.set(instantKey, expiry, edit);
  }
  const key = segments[depth] ?? "";
  const child = ttlChild(node, key);
  if (child === null && expiry === null) return node;
  const next = withExpiry(child, segments, expiry, edit, depth + 1);
  if (next !== null) return next === child ? node : (node ?? Tree.empty).set(key, next, edit);
  const rest = node?.delete(key, edit);
  return rest === undefined || rest.size === 0 ? null : rest;
}

/** Number of leading segments that name an expired node, 0 for the root; undefined when none has expired. */
export function expiredDepth(
  ttls: Tree | null,
  segments: readonly string[],
  now: number,
): number | undefined {
  let node = ttls;
  for (let depth = 0; node !== null; depth++) {
    if (isExpired(node, now)) return depth;
    const key = segments[depth];
    if (key === undefined) return undefined;
    node = ttlChild(node, key);
  }
  return undefined;
}

/** What is left of the value without that which has expired below it. */
export function unexpired(value: Value, ttls: Tree | null, now: number): Value {
  if (ttls === null || !(value instanceof Tree)) return value;
  let left = value;
  for (const key of ttls.keys()) {
    const child = ttlChild(ttls, key);
    const old = value.get(key);
    if (child === null || old === undefined) continue;
    if (isExpired(child, now)) left = left.delete(key);
    else {
      const next = unexpired(old, child, now);
      if (next !== old) left = left.set(key, next);
    }
  }
  return left;
}

/** Instant of expiry for a `ttl` in seconds, whole ones; null when it is no number, which means none. */
export function expiryFor(ttl: Value | undefined, now: number): number | null {
  if (!isNumeric(ttl)) return null;
  const at = now + Math.trunc(Number(ttl)) * 1000;
  return Math.min(Math.max(at, 0), Number.MAX_SAFE_INTEGER);
}

/** Path and instant of all that expires below a node of the table, whose path is `path`, empty for the root. */
export function* expiriesBelow(
  node: Tree | null,
  path: string,
): Generator<readonly [path: string, at: number]> {
  if (node === null) return;
  const at = expiryOf(node);
  if (at !== undefined) yield [path === "" ? "/" : path, at];
  for (const key of node.keys()) yield* expiriesBelow(ttlChild(node, key), `${path}/${key}`);
}
