import { compareText, type Json } from "@halon/protocol";

const depthMax = 64;

/**
 * A deeply frozen copy of a value that a rule hands over, with sorted members.
 *
 * Nobody can change it afterwards, and it reads the same before and after the log held it. Members that are
 * `undefined` are left out. Throws a TypeError on what JSON cannot hold, because writing it as something else
 * would change it silently.
 */
export function plain(value: unknown, path = "value", depth = 0): Json {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  // JSON has no -0: it would come back from a snapshot as 0.
  if (typeof value === "number" && Number.isFinite(value)) return value + 0;
  if (typeof value !== "object") throw new TypeError(`${path} is ${named(value)}, not JSON`);
  if (depth > depthMax) throw new TypeError(`${path} is nested deeper than ${depthMax} levels`);
  if (Array.isArray(value)) {
    return Object.freeze(value.map((each, at) => plain(each, `${path}[${at}]`, depth + 1)));
  }
  return plainObject(value, path, depth);
}

function plainObject(value: object, path: string, depth: number): Json {
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object of another context has another Object.prototype, which has no prototype itself.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw new TypeError(`${path} is an object of class ${value.constructor.name}, not JSON`);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => compareText(a, b))
    .map(([name, member]) => [name, plain(member, `${path}.${name}`, depth + 1)] as const);
  return Object.freeze(Object.fromEntries(members));
}

/** Milliseconds as a rule gives them, in whole numbers; a TypeError on NaN and infinities. */
export function wholeMs(ms: number, of: string): number {
  if (!Number.isFinite(ms)) throw new TypeError(`${of} is ${ms}, not a number of milliseconds`);
  return Math.max(0, Math.round(ms));
}

/** What a rule threw, whatever it is, and where in its file. An error of its realm is no instance of our Error. */
export function reasonOf(error: unknown, where: string | null = null): string {
  return where === null ? textOf(error) : `${textOf(error)} (${where})`;
}

function textOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return String(error);
  const { name, message } = error as { readonly name?: unknown; readonly message?: unknown };
  const isError = typeof name === "string" && typeof message === "string";
  return isError ? `${name}: ${message}` : "an object that is no Error";
}

function named(value: unknown): string {
  return typeof value === "number" ? String(value) : `a ${typeof value}`;
}
