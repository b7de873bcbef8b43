import { type Edit, Tree } from "./tree.ts";
import { isExpired, ttlChild } from "./ttl.ts";
import type { Value } from "./value.ts";

/** A value, and the part of the table of TTLs that begins at it. */
export interface Found {
  readonly value: Value;
  readonly ttls: Tree | null;
}

/** The value at a path; undefined when it is absent or has expired. An expired root is an empty object. */
export function findIn(
  root: Value,
  ttls: Tree | null,
  segments: readonly string[],
  now: number,
): Found | undefined {
  let found: Found = isExpired(ttls, now) ? emptyRoot : { value: root, ttls };
  for (const key of segments) {
    const next = childOf(found, key, now);
    if (next === undefined) return undefined;
    found = next;
  }
  return found;
}

const emptyRoot: Found = { value: Tree.empty, ttls: null };

/** The member of an object; undefined when it is absent or has expired. */
export function childOf(parent: Found, key: string, now: number): Found | undefined {
  if (!(parent.value instanceof Tree)) return undefined;
  const value = parent.value.get(key);
  if (value === undefined) return undefined;
  const ttls = ttlChild(parent.ttls, key);
  return isExpired(ttls, now) ? undefined : { value, ttls };
}

/** The node with `value` at the path; what stands in the way becomes an object. */
export function assigned(
  node: Value | undefined,
  segments: readonly string[],
  depth: number,
  value: Value,
  edit?: Edit,
): Value {
  const key = segments[depth];
  if (key === undefined) return value;
  const tree = node instanceof Tree ? node : Tree.empty;
  if (depth === segments.length - 1) return tree.set(key, value, edit);
  const child = tree.get(key);
  const next = assigned(child, segments, depth + 1, value, edit);
  // A child that was changed where it is need not be put there again.
  return next === child ? tree : tree.set(key, next, edit);
}

/** The node without what is at the path; undefined when the node itself goes. */
export function removed(
  node: Value,
  segments: readonly string[],
  depth: number,
  edit?: Edit,
): Value | undefined {
  const key = segments[depth];
  if (key === undefined) return undefined;
  const child = node instanceof Tree ? node.get(key) : undefined;
  if (!(node instanceof Tree) || child === undefined) return node;
  const next = removed(child, segments, depth + 1, edit);
  if (next === undefined) return node.delete(key, edit);
  return next === child ? node : node.set(key, next, edit);
}
