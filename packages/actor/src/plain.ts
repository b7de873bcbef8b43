import { HalonError } from "@halon/protocol";

const depthMax = 64;

/**
 * Refuses what would not arrive as it was sent: functions, symbols, class instances, cycles.
 *
 * Runs in `send`, so that the error reaches the sender and nobody else. Errors: HAL_BAD_REQUEST.
 */
export function assertPlain(value: unknown, path = "message", depth = 0): void {
  switch (typeof value) {
    case "function":
    case "symbol":
    case "bigint":
      throw notPlain(path, `a ${typeof value}`);
    case "object":
      if (value !== null) assertPlainObject(value, path, depth);
      return;
    default:
      return;
  }
}

function assertPlainObject(value: object, path: string, depth: number): void {
  if (depth >= depthMax) throw notPlain(path, `nested more than ${depthMax} deep`);
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) assertPlain(value[at], `${path}[${at}]`, depth + 1);
    return;
  }
  if (value instanceof Uint8Array) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw notPlain(path, `an instance of ${value.constructor.name}`);
  for (const [key, member] of Object.entries(value))
    if (typeof member === "object" || typeof member === "function" || typeof member === "symbol")
      assertPlain(member, `${path}.${key}`, depth + 1);
}

function notPlain(path: string, what: string): HalonError {
  return new HalonError(
    "HAL_BAD_REQUEST",
    `${path} is ${what}; what crosses threads and nodes is plain data: send fields of text, numbers, lists and bytes.`,
  );
}
