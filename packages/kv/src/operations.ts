import { compareKeys } from "./equal.ts";
import type { JsonReader } from "./json-reader.ts";
import { limits, Malformed } from "./limits.ts";
import { assigned, removed } from "./locate.ts";
import { checkLength, segmentsOf, writablePath } from "./path.ts";
import type { WriteTransaction } from "./transaction.ts";
import { Tree } from "./tree.ts";
import type { Value } from "./value.ts";

/**
 * Takes the object of operations that comes next.
 *
 * Sorted bytewise by path; two spellings of one path stand in the byte order of the spellings. Throws `JsonError` or
 * `Malformed`.
 */
export function readOperations(reader: JsonReader): WriteTransaction["operations"] {
  const { pairs, spellings } = readMembers(reader, preparedOperation);
  if (spellings === undefined) return pairs;
  const raws = [...spellings];
  return pairs
    .map(([path, operation], n): [string, Value, string] => [path, operation, raws[n] ?? path])
    .sort(byPath)
    .map(([path, operation]) => [path, operation]);
}

function byPath(
  [a, , rawA]: readonly [string, Value, string],
  [b, , rawB]: readonly [string, Value, string],
): number {
  return compareKeys(a, b) || compareKeys(rawA, rawB);
}

/** Takes the object of preconditions that comes next. Throws `JsonError` or `Malformed`. */
export function readPreconditions(reader: JsonReader): WriteTransaction["preconditions"] {
  return readMembers(reader, (condition) => condition).pairs;
}

/** Members of an object of paths, in the order of the text. */
interface Members {
  readonly pairs: (readonly [path: string, value: Value])[];
  /** The paths as they are written, in the same order; undefined up to one member. */
  readonly spellings: ReadonlySet<string> | undefined;
}

function readMembers(reader: JsonReader, prepared: (value: Value) => Value): Members {
  reader.expect("{");
  if (reader.take("}")) return { pairs: [], spellings: undefined };
  const first = reader.readString();
  const pairs = [readMember(reader, first, prepared)];
  if (reader.take("}")) return { pairs, spellings: undefined };
  const spellings = new Set([first]);
  while (reader.take(",")) {
    const key = reader.readString();
    if (spellings.has(key)) {
      throw new Malformed(`Duplicate key ${JSON.stringify(key.slice(0, 100))}`);
    }
    spellings.add(key);
    pairs.push(readMember(reader, key, prepared));
  }
  reader.expect("}");
  return { pairs, spellings };
}

/** Takes what comes after the key of a member. */
function readMember(
  reader: JsonReader,
  key: string,
  prepared: (value: Value) => Value,
): readonly [path: string, value: Value] {
  reader.expect(":");
  const value = reader.readValue();
  return [writablePath(key), prepared(value)];
}

/** The operation with the keys of what it assigns split at slashes. */
function preparedOperation(operation: Value): Value {
  if (!(operation instanceof Tree)) return operation;
  const name = operation.get("op");
  if (name === undefined) return withSplitKeys(operation, 0);
  const value = operation.get("new");
  if (name !== "set" || !(value instanceof Tree)) return operation;
  const split = withSplitKeys(value, 0);
  return split === value ? operation : operation.set("new", split);
}

/** The value in which a key with slashes is the path that it spells. What is in arrays stays as it is. */
function withSplitKeys(value: Value, depth: number): Value {
  if (!(value instanceof Tree)) return value;
  if (depth >= limits.levelsMax) throw tooDeep();
  let isSplit = false;
  let next = value;
  const members = value.cursor();
  while (members.advance()) {
    const { key, value: child } = members;
    checkLength(key);
    if (key.includes("/")) isSplit = true;
    else {
      const prepared = withSplitKeys(child, depth + 1);
      if (prepared !== child) next = next.set(key, prepared);
    }
  }
  return isSplit ? splitMembers(next, depth) : next;
}

function splitMembers(value: Tree, depth: number): Value {
  let next: Value = value;
  const keys = [...value.keys()].filter((key) => key.includes("/")).sort(compareKeys);
  for (const key of keys) next = removed(next, [key], 0) ?? next;
  for (const key of keys) {
    const path = writablePath(key);
    // A key of nothing but slashes has no segment; it stands for the empty key.
    const segments = path === "/" ? [""] : segmentsOf(path);
    if (depth + segments.length > limits.levelsMax) throw tooDeep();
    const child = withSplitKeys(value.get(key) ?? null, depth + segments.length);
    next = assigned(next, segments, 0, child);
  }
  return next;
}

function tooDeep(): Malformed {
  return new Malformed(`A value has more than ${limits.levelsMax} levels`);
}
