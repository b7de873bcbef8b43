import { type Edit, Tree } from "./tree.ts";
import { expiriesBelow } from "./ttl.ts";

/** The end of the second in which an instant lies: all that is due in a second has expired at its end. */
function secondOf(at: number): string {
  return String(Math.ceil(at / 1000));
}

/** The table with a path that expires at an instant, ms. Maps seconds to paths. */
export function withDue(due: Tree, path: string, at: number, edit: Edit): Tree {
  const second = secondOf(at);
  const paths = due.get(second);
  const next = (paths instanceof Tree ? paths : Tree.empty).set(path, true, edit);
  return due.set(second, next, edit);
}

/** The table without what expires at or below a path; `ttls` is the part of the table of TTLs that begins there. */
export function withoutDue(due: Tree, path: string, ttls: Tree | null, edit: Edit): Tree {
  let left = due;
  for (const [below, at] of expiriesBelow(ttls, path === "/" ? "" : path)) {
    const second = secondOf(at);
    const paths = left.get(second);
    if (!(paths instanceof Tree)) continue;
    const rest = paths.delete(below, edit);
    left = rest.size === 0 ? left.delete(second, edit) : left.set(second, rest, edit);
  }
  return left;
}

/** Up to `countMax` paths that are due in a second. */
export function dueIn(due: Tree, second: number, countMax: number): readonly string[] {
  const paths = due.get(String(second));
  const found: string[] = [];
  if (!(paths instanceof Tree)) return found;
  const cursor = paths.cursor();
  while (found.length < countMax && cursor.advance()) found.push(cursor.key);
  return found;
}
