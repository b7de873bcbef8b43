import { HalonError, type Json, type JsonObject } from "@halon/protocol";

const depthMax = 64;

/**
 * Throws HAL_BAD_REQUEST when `value` is not plain JSON; members that are `undefined` count as absent.
 *
 * A member `__proto__` is refused, because copying it member by member sets a prototype instead.
 */
export function assertJson(value: unknown, of: string): void {
  // Nearly all is, and what is wrong needs a path only when something is.
  if (!isJson(value, 0)) explain(value, of, "", 0);
}

function isJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (depth > depthMax || typeof value !== "object") return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1)
      if (!isJson(value[index], depth + 1)) return false;
    return true;
  }
  if (!isPlain(value)) return false;
  const object = value as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(object)) {
    const member = object[name];
    if (name === "__proto__" || (member !== undefined && !isJson(member, depth + 1))) return false;
  }
  return true;
}

/** Throws what `isJson` found, with the path to it. */
function explain(value: unknown, of: string, path: string, depth: number): void {
  if (value === null || typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (depth > depthMax) throw notJson(of, path, `is nested deeper than ${depthMax} levels`);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      explain(value[index], of, `${path}[${index}]`, depth + 1);
    }
    return;
  }
  if (typeof value !== "object" || !isPlain(value)) {
    throw notJson(of, path, `is ${describe(value)}, which JSON cannot hold`);
  }
  for (const [name, member] of Object.entries(value)) {
    if (name === "__proto__") throw notJson(of, path, "has a member named __proto__");
    if (member !== undefined)
      explain(member, of, path === "" ? name : `${path}.${name}`, depth + 1);
  }
}

/** Deeply frozen, with sorted members: they are shared as they are. */
const shared = new WeakSet<object>();

/** Whether the value was found to be what `frozenObject` makes, and JSON. */
export function isShared(value: object): boolean {
  return Object.isFrozen(value) && shared.has(value);
}

/**
 * A deeply frozen value with sorted members, so that the order of arrival cannot be seen: a copy, or the value itself
 * when it is one already.
 */
export function frozenObject(value: object): JsonObject {
  if (!Object.isFrozen(value)) return frozenCopy(value);
  if (shared.has(value)) return value as JsonObject;
  if (!isFinished(value)) return frozenCopy(value);
  shared.add(value);
  return value as JsonObject;
}

/** Whether a copy would be the same, and nobody can change it. */
function isFinished(value: unknown): boolean {
  if (typeof value === "number") return !Object.is(value, -0);
  if (value === null || typeof value !== "object") return true;
  if (!Object.isFrozen(value)) return false;
  if (Array.isArray(value)) return value.every(isFinished);
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  const names = Object.getOwnPropertyNames(value);
  for (let at = 0; at < names.length; at += 1) {
    const name = names[at] as string;
    if (at > 0 && (names[at - 1] as string) >= name) return false;
    const member = Object.getOwnPropertyDescriptor(value, name);
    // An accessor has no value, and may give another one each time.
    if (member?.enumerable !== true || member.value === undefined) return false;
    if (!isFinished(member.value)) return false;
  }
  return true;
}

/** Of what `assertJson` let pass: a member `__proto__` would be lost. */
function frozenCopy(value: object): JsonObject {
  const object = value as Readonly<Record<string, unknown>>;
  const copy: Record<string, Json> = {};
  for (const name of namesInOrder(object)) {
    const member = object[name];
    if (member !== undefined) copy[name] = frozenJson(member);
  }
  return Object.freeze(copy);
}

function namesInOrder(object: object): readonly string[] {
  const names = Object.keys(object);
  for (let at = 1; at < names.length; at += 1)
    if ((names[at - 1] as string) > (names[at] as string)) return names.sort();
  return names;
}

function frozenJson(value: unknown): Json {
  // JSON has no -0: it would come back from a snapshot as 0.
  if (typeof value === "number") return value + 0;
  if (value === null || typeof value !== "object") return value as Json;
  return Array.isArray(value) ? Object.freeze(value.map(frozenJson)) : frozenObject(value);
}

/** Whether two JSON values are equal; the order of members does not count. */
export function sameJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (isArray(a) || isArray(b)) {
    return (
      isArray(a) &&
      isArray(b) &&
      a.length === b.length &&
      a.every((each, index) => sameJson(each, b[index] ?? null))
    );
  }
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameJson(a[name] ?? null, b[name] ?? null))
  );
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object of another context has another Object.prototype, which has no prototype itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function describe(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  return `an object of class ${value.constructor.name}`;
}

function notJson(of: string, path: string, problem: string): HalonError {
  return new HalonError(
    "HAL_BAD_REQUEST",
    `${path === "" ? `The value of ${of}` : `The attribute ${path} of ${of}`} ${problem}.`,
    { details: { of, path } },
  );
}
