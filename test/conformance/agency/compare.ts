/** Results of the steps so far, for references such as `{"$ref":[step, position]}`. */
export type Results = ReadonlyMap<number, readonly number[]>;

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

type JsonObject = { readonly [key: string]: Json };

/** `[pointer, operator, value]`. */
export type Assertion = readonly [pointer: string, operator: string, value: Json];

const missing = Symbol("missing");

/** Whether a value is as a case expects it: numbers by value, objects in any order, with the format's own forms. */
export function fits(got: unknown, expected: Json, results: Results): boolean {
  const form = isObject(expected) ? expected : {};
  if (hasOnly(form, "$idx")) return typeof got === "number" && got > 0;
  if ("$ref" in form) return got === resolved(expected, results);
  if (hasOnly(form, "anyOf"))
    return (form["anyOf"] as Json[]).some((one) => fits(got, one, results));
  if (Array.isArray(expected)) {
    return (
      Array.isArray(got) &&
      got.length === expected.length &&
      expected.every((one, at) => fits(got[at], one, results))
    );
  }
  if (!isObject(expected)) return got === expected;
  if (!isObject(got)) return false;
  const keys = Object.keys(expected);
  return (
    keys.length === Object.keys(got).length &&
    keys.every((key) => Object.hasOwn(got, key) && fits(got[key], expected[key] ?? null, results))
  );
}

/** Whether indexes are as a case expects them: `"ok"`, or a list of `"ok"`, 0 and references. */
export function indexesFit(
  got: readonly number[],
  expected: Json,
  count: number,
  results: Results,
): boolean {
  const isIndex = (one: unknown) => Number.isInteger(one) && (one as number) > 0;
  if (expected === "ok") return got.length === count && got.every(isIndex);
  if (isObject(expected) && "anyOf" in expected) {
    return (expected["anyOf"] as Json[]).some((one) => indexesFit(got, one, count, results));
  }
  const list = expected as readonly Json[];
  return (
    got.length === list.length &&
    list.every((one, at) => (one === "ok" ? isIndex(got[at]) : got[at] === resolved(one, results)))
  );
}

/** A reference's value; anything else stands for itself. */
export function resolved(value: Json | undefined, results: Results): Json | undefined {
  if (!isObject(value) || !("$ref" in value)) return value;
  const [step, position] = value["$ref"] as [number, number];
  return (results.get(step)?.[position] ?? Number.NaN) + Number(value["plus"] ?? 0);
}

/** What is wrong with a document, or null. */
export function fault(
  doc: Json,
  [pointer, operator, value]: Assertion,
  results: Results,
): string | null {
  const got = at(doc, pointer);
  const holds = operatorOf(operator, resolved(value, results) ?? null, results)(got);
  return holds ? null : `${pointer} ${operator} ${JSON.stringify(value)}: ${JSON.stringify(got)}`;
}

function operatorOf(operator: string, value: Json, results: Results): (got: unknown) => boolean {
  const same = (one: unknown) => (expected: Json) => fits(one, expected, results);
  switch (operator) {
    case "eq":
      return (got) => fits(got, value, results);
    case "gt":
      return (got) => typeof got === "number" && got > Number(value);
    case "ge":
      return (got) => typeof got === "number" && got >= Number(value);
    case "absent":
      return (got) => got === missing;
    case "type":
      return (got) => typeOf(got) === value;
    case "matches":
      return (got) => typeof got === "string" && new RegExp(String(value)).test(got);
    case "len":
      return (got) => Array.isArray(got) && got.length === value;
    case "contains":
      return (got) => Array.isArray(got) && got.some((one) => same(one)(value));
    case "notContains":
      return (got) => Array.isArray(got) && !got.some((one) => same(one)(value));
    case "count": {
      const [wanted, count] = value as readonly [Json, number];
      return (got) => Array.isArray(got) && got.filter((one) => same(one)(wanted)).length === count;
    }
    default:
      throw new Error(`no operator ${operator}`);
  }
}

/** JSON pointer, with `-` for the last element, `*self` for the member's own id and `*peer` for another's. */
function at(doc: Json, pointer: string): unknown {
  let current: unknown = doc;
  for (const part of pointer.split("/").slice(1)) {
    const key = keyOf(doc, current, part.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (Array.isArray(current)) current = current.at(key === "-" ? -1 : Number(key));
    else if (isObject(current) && Object.hasOwn(current, key)) current = current[key];
    else return missing;
    if (current === undefined) return missing;
  }
  return current;
}

function keyOf(doc: Json, current: unknown, key: string): string {
  if (key !== "*self" && key !== "*peer") return key;
  const self = String(at(doc, "/configuration/id"));
  if (key === "*self") return self;
  return Object.keys(isObject(current) ? current : {}).find((one) => one !== self) ?? key;
}

function typeOf(got: unknown): string {
  if (Array.isArray(got)) return "array";
  return got === null ? "null" : typeof got;
}

function hasOnly(form: JsonObject, key: string): boolean {
  return key in form && Object.keys(form).length === 1;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
