import type { Json, JsonObject, JsonSchema, ServiceManifest } from "@halon/protocol";
import { hashOf, schemaFor } from "../runtime/configuration.ts";
import { boundsOf, isObject, numberOf, propertiesOf } from "./schema-values.ts";

/** Why one of the schemas of a type can never be met, with the place; undefined when all can, as far as is seen. */
export function problemOfSchemas(manifest: ServiceManifest): string | undefined {
  const { configurationSchema, messages = {}, resources } = manifest;
  const all: readonly (readonly [string, JsonSchema])[] = [
    ["config", configurationSchema],
    ...Object.entries(messages).map(([name, schema]) => [`messages.${name}`, schema] as const),
    ...Object.entries(resources).map(([name, schema]) => [`resources.${name}`, schema] as const),
  ];
  for (const [place, schema] of all) {
    const problem = problemOfReading(schema, place) ?? problemOfSchema(schema, place);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** A contradiction in a schema or in one of its parts, with the path to it. */
export function problemOfSchema(schema: Json | undefined, place: string): string | undefined {
  if (!isObject(schema)) return undefined;
  const own =
    crossed(schema) ??
    emptyChoice(schema) ??
    impossibleField(schema) ??
    tornTypes(schema) ??
    badDefault(schema);
  if (own !== undefined) return `${place}: ${own}`;
  for (const [part, inner] of partsOf(schema)) {
    const problem = problemOfSchema(inner, `${place}${part}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemOfReading(schema: JsonSchema, place: string): string | undefined {
  try {
    schemaFor(hashOf(schema), schema);
    return undefined;
  } catch (error) {
    return `${place}: its schema cannot be used: ${(error as Error).message}`;
  }
}

/** A lower bound over the upper one, in the schema or in all that it joins. */
function crossed(schema: JsonObject): string | undefined {
  const joined = joinedOf(schema);
  const all = joined.map((each) => boundsOf(each));
  const least = all.map((each) => each.least).reduce((a, b) => (b.value >= a.value ? b : a));
  const most = all.map((each) => each.most).reduce((a, b) => (b.value <= a.value ? b : a));
  const isEmpty =
    least.value > most.value ||
    (least.value === most.value && (least.isExclusive || most.isExclusive));
  if (isEmpty) return `no number is at least ${least.value} and at most ${most.value}`;
  const isWhole = joined.some(({ type }) => type === "integer");
  const lowest = least.isExclusive ? Math.floor(least.value) + 1 : Math.ceil(least.value);
  const highest = most.isExclusive ? Math.ceil(most.value) - 1 : Math.floor(most.value);
  if (isWhole && lowest > highest) {
    return `no whole number is between ${least.value} and ${most.value}`;
  }
  for (const [low, high, what] of [
    ["minLength", "maxLength", "text"],
    ["minItems", "maxItems", "list"],
    ["minProperties", "maxProperties", "object"],
  ] as const) {
    const from = Math.max(...joined.map((each) => numberOf(each[low]) ?? 0));
    const to = Math.min(...joined.map((each) => numberOf(each[high]) ?? Number.POSITIVE_INFINITY));
    if (from > to) return `no ${what} has a length of at least ${from} and at most ${to}`;
  }
  return undefined;
}

function emptyChoice(schema: JsonObject): string | undefined {
  const listed = schema["enum"];
  if (!Array.isArray(listed)) return undefined;
  if (listed.length === 0) return "it lists no value that it takes";
  const { type } = schema;
  if (typeof type !== "string" || listed.some((value) => isOfType(value, type))) return undefined;
  return `it takes a ${type}, and lists none`;
}

/** A field that has to be there and cannot. */
function impossibleField(schema: JsonObject): string | undefined {
  const required = Array.isArray(schema["required"]) ? schema["required"].map(String) : [];
  const properties = propertiesOf(schema);
  for (const field of required) {
    const inner = properties[field];
    const isClosed = schema["additionalProperties"] === false;
    if (inner === undefined && isClosed) return `the field ${field} is required and not allowed`;
    if (isNever(inner)) return `the field ${field} is required and takes no value`;
  }
  return undefined;
}

/** `z.never()`. */
function isNever(schema: Json | undefined): boolean {
  if (schema === false) return true;
  const not = isObject(schema) ? schema["not"] : undefined;
  return isObject(not) && Object.keys(not).length === 0;
}

function tornTypes(schema: JsonObject): string | undefined {
  const types = joinedOf(schema).flatMap(({ type }) => (typeof type === "string" ? [type] : []));
  const isNumber = (type: string) => type === "integer" || type === "number";
  const [first, ...others] = types;
  if (first === undefined) return undefined;
  const other = others.find((type) => type !== first && !(isNumber(type) && isNumber(first)));
  return other === undefined ? undefined : `nothing is a ${first} and a ${other}`;
}

function badDefault(schema: JsonObject): string | undefined {
  const given = schema["default"];
  if (given === undefined || JSON.stringify(schema).includes('"$ref"')) return undefined;
  const { default: _, ...rest } = schema;
  const parsed = schemaFor(hashOf(rest), rest).safeParse(given);
  if (parsed.success) return undefined;
  const what = parsed.error.issues[0]?.message ?? "it does not fit";
  return `its default ${JSON.stringify(given).slice(0, 100)} does not fit: ${what}`;
}

/** The schema with all that it joins by `allOf`. */
function joinedOf(schema: JsonObject): readonly JsonObject[] {
  const all = schema["allOf"];
  const others = Array.isArray(all) ? all.filter(isObject).flatMap(joinedOf) : [];
  return [schema, ...others];
}

function partsOf(schema: JsonObject): readonly (readonly [string, Json])[] {
  const list = (keyword: string): readonly (readonly [string, Json])[] => {
    const members = schema[keyword];
    if (!Array.isArray(members)) return [];
    return members.map(
      (member, at) => [keyword === "prefixItems" ? `[${at}]` : "", member] as const,
    );
  };
  const { items, additionalProperties } = schema;
  return [
    ...Object.entries(propertiesOf(schema)).map(([field, inner]) => [`.${field}`, inner] as const),
    ...(["prefixItems", "anyOf", "oneOf", "allOf"] as const).flatMap(list),
    ...(items === undefined ? [] : [["[]", items] as const]),
    ...(additionalProperties === undefined ? [] : [[".*", additionalProperties] as const]),
  ];
}

function isOfType(value: Json, type: string): boolean {
  if (type === "integer") return Number.isInteger(value);
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  return typeof value === type;
}
