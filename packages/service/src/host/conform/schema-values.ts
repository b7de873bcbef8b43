import { type Json, type JsonObject, type JsonSchema, secretKeyword } from "@halon/protocol";

/** A value for one field that is not the one it has. */
export interface Alternative {
  readonly field: string;
  readonly value: Json;
  /** The schema lists or bounds its values, so the service has to take it; else it is a guess. */
  readonly isCertain: boolean;
}

/** References to secrets that can be read here; the second has another value. */
export type SecretReferences = readonly [Json, Json];

const depthMax = 8;
const textsMax = 64;
/** What a string of a format may be. */
const formats: Readonly<Record<string, readonly string[]>> = {
  uri: ["http://127.0.0.1/", "http://127.0.0.1/other"],
  email: ["one@example.com", "two@example.com"],
  ipv4: ["127.0.0.1", "127.0.0.2"],
  ipv6: ["::1", "::2"],
  uuid: ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"],
  "date-time": ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
  date: ["2026-01-01", "2026-01-02"],
};

/** A value that the schema should take: its default where it has one; undefined where none can be made up. */
export function sampleOf(
  schema: Json | undefined,
  secrets: SecretReferences,
  depth = 0,
): Json | undefined {
  if (!isObject(schema) || depth > depthMax) return undefined;
  if (schema["default"] !== undefined) return schema["default"];
  if (schema[secretKeyword] === true) return secrets[0];
  if (schema["const"] !== undefined) return schema["const"];
  if (Array.isArray(schema["enum"])) return schema["enum"][0];
  for (const branch of branchesOf(schema)) {
    const value = sampleOf(branch, secrets, depth + 1);
    if (value !== undefined) return value;
  }
  switch (typeOf(schema)) {
    case "boolean":
      return false;
    case "null":
      return null;
    case "integer":
    case "number":
      return numberWithin(schema, undefined);
    case "string":
      return textWithin(schema, undefined);
    case "array":
      return listOf(schema, secrets, depth);
    case "object":
      return objectOf(schema, secrets, depth);
    default:
      return undefined;
  }
}

/** The configuration of a type as far as it can be made up; what its schema then still lacks is for a person. */
export function sampleConfig(schema: JsonSchema, secrets: SecretReferences): JsonObject {
  const config = objectOf(schema, secrets, 0);
  return isObject(config) ? config : {};
}

/** For each field another value than it has, where one can be made up. */
export function alternativesTo(
  schema: JsonSchema,
  config: JsonObject,
  secrets: SecretReferences,
): readonly Alternative[] {
  return Object.entries(propertiesOf(schema)).flatMap(([field, fieldSchema]) =>
    otherValues(fieldSchema, config[field], secrets, 0)
      .slice(0, 1)
      .map(({ value, isCertain }) => ({ field, value, isCertain })),
  );
}

/** Configurations that a schema with these fields should refuse; the caller asks it. */
export function badConfigs(schema: JsonSchema, config: JsonObject): readonly JsonObject[] {
  const wrong: readonly Json[] = [["x"], { x: 1 }, 0.5, "x", true];
  const fields = Object.keys(propertiesOf(schema));
  const required = Array.isArray(schema["required"]) ? schema["required"].map(String) : [];
  return [
    ...fields.flatMap((field) => wrong.map((value) => ({ ...config, [field]: value }))),
    ...required.map((field) => without(config, field)),
    { ...config, "not-a-field-of-it": true },
  ];
}

/** Arguments that the schema of a message should take, undefined where they cannot be made up; and some it should refuse. */
export function argumentsFor(
  schema: JsonSchema,
  secrets: SecretReferences,
): { readonly good: readonly Json[] | undefined; readonly bad: readonly (readonly Json[])[] } {
  const good = listOf(schema, secrets, 0);
  const args = Array.isArray(good) ? good : undefined;
  const wrong: readonly Json[] = [["x"], { x: 1 }, 0.5, "x", true, null];
  const given = args ?? [];
  return {
    good: args,
    bad: [
      ...wrong.map((value) => [value, ...given.slice(1)]),
      [...given, ...wrong, ...wrong],
      given.slice(0, -1),
    ],
  };
}

type Other = Omit<Alternative, "field">;

function otherValues(
  schema: Json | undefined,
  present: Json | undefined,
  secrets: SecretReferences,
  depth: number,
): readonly Other[] {
  if (!isObject(schema) || depth > depthMax || schema["const"] !== undefined) return [];
  const isOther = ({ value }: Other) => !isSame(value, present);
  if (schema[secretKeyword] === true) {
    return secrets.map((value) => ({ value, isCertain: false })).filter(isOther);
  }
  const listed = schema["enum"];
  if (Array.isArray(listed))
    return listed.map((value) => ({ value, isCertain: true })).filter(isOther);
  const branches = branchesOf(schema);
  if (branches.length > 0) {
    const fixed = branches.flatMap((branch) =>
      isObject(branch) && branch["const"] !== undefined
        ? [{ value: branch["const"], isCertain: true }]
        : [],
    );
    const others = branches.flatMap((branch) => otherValues(branch, present, secrets, depth + 1));
    return [...fixed, ...others].filter(isOther);
  }
  return valuesOfType(schema, present, secrets, depth).filter(isOther);
}

function valuesOfType(
  schema: JsonObject,
  present: Json | undefined,
  secrets: SecretReferences,
  depth: number,
): readonly Other[] {
  const guess = (value: Json | undefined): readonly Other[] =>
    value === undefined ? [] : [{ value, isCertain: false }];
  switch (typeOf(schema)) {
    case "boolean":
      return [{ value: present !== true, isCertain: true }];
    case "integer":
    case "number": {
      const value = numberWithin(schema, present);
      return value === undefined ? [] : [{ value, isCertain: isBounded(schema) }];
    }
    case "string":
      return guess(textWithin(schema, present));
    case "array":
      return otherLists(schema, Array.isArray(present) ? present : [], secrets, depth).flatMap(
        guess,
      );
    case "object": {
      const inner = isObject(present) ? present : {};
      return Object.entries(propertiesOf(schema)).flatMap(([field, fieldSchema]) =>
        otherValues(fieldSchema, inner[field], secrets, depth + 1).map(({ value, isCertain }) => ({
          value: { ...inner, [field]: value },
          isCertain,
        })),
      );
    }
    default:
      return [];
  }
}

/** A list with another first item, one item more, or one less. */
function otherLists(
  schema: JsonObject,
  present: readonly Json[],
  secrets: SecretReferences,
  depth: number,
): readonly Json[] {
  const [first] = Array.isArray(schema["prefixItems"]) ? schema["prefixItems"] : [];
  const heads = otherValues(first, present[0], secrets, depth + 1);
  const item = sampleOf(schema["items"], secrets, depth + 1);
  const least = numberOf(schema["minItems"]) ?? 0;
  const most = numberOf(schema["maxItems"]) ?? textsMax;
  const lists = [
    ...heads.map(({ value }) => [value, ...present.slice(1)]),
    ...(item === undefined ? [] : [[...present, item]]),
    ...(first === undefined && present.length > 0 ? [present.slice(1)] : []),
  ];
  return lists.filter(({ length }) => length >= least && length <= most);
}

/** The smallest number that fits, or a neighbour of the present one. */
function numberWithin(schema: JsonObject, present: Json | undefined): number | undefined {
  const isWhole = typeOf(schema) === "integer";
  const step = numberOf(schema["multipleOf"]) ?? 1;
  const { least, most } = boundsOf(schema);
  const fits = (value: number) =>
    value >= least.value &&
    value <= most.value &&
    !(least.isExclusive && value === least.value) &&
    !(most.isExclusive && value === most.value) &&
    (!isWhole || Number.isInteger(value));
  const base = Number.isFinite(least.value) ? Math.ceil(least.value / step) * step : 0;
  const candidates =
    typeof present === "number"
      ? [present + step, present - step, base, base + step, (least.value + present) / 2]
      : [base, base + step, Math.floor(most.value / step) * step, (least.value + most.value) / 2];
  return candidates.find((value) => fits(value) && value !== present);
}

interface Bound {
  readonly value: number;
  readonly isExclusive: boolean;
}

/** The bounds of a number, infinite where there are none. */
export function boundsOf(schema: JsonObject): { readonly least: Bound; readonly most: Bound } {
  const over = numberOf(schema["exclusiveMinimum"]);
  const under = numberOf(schema["exclusiveMaximum"]);
  const minimum = numberOf(schema["minimum"]) ?? Number.NEGATIVE_INFINITY;
  const maximum = numberOf(schema["maximum"]) ?? Number.POSITIVE_INFINITY;
  return {
    least:
      over !== undefined && over >= minimum
        ? { value: over, isExclusive: true }
        : { value: minimum, isExclusive: false },
    most:
      under !== undefined && under <= maximum
        ? { value: under, isExclusive: true }
        : { value: maximum, isExclusive: false },
  };
}

/** Every whole number of zod has the bounds of what is exact; those are nobody's choice. */
function isBounded(schema: JsonObject): boolean {
  const { least, most } = boundsOf(schema);
  return least.value > Number.MIN_SAFE_INTEGER && most.value < Number.MAX_SAFE_INTEGER;
}

function textWithin(schema: JsonObject, present: Json | undefined): string | undefined {
  const ofFormat = formats[String(schema["format"] ?? "")];
  if (ofFormat !== undefined) return ofFormat.find((text) => text !== present);
  const least = numberOf(schema["minLength"]) ?? 0;
  const most = numberOf(schema["maxLength"]) ?? textsMax;
  const fill = "x".repeat(Math.max(0, least - 4));
  const base = typeof present === "string" ? variantsOf(present) : [];
  const pattern = patternOf(schema["pattern"]);
  return [
    ...base,
    `text${fill}`,
    `te${fill}`,
    `t${fill}`,
    `T1${fill}`,
    `1${fill}`,
    `12${fill}`,
    "x".repeat(least),
  ].find(
    (text) =>
      text.length >= least &&
      text.length <= most &&
      text !== present &&
      (pattern?.test(text) ?? true),
  );
}

function variantsOf(text: string): readonly string[] {
  const begin = text.slice(0, -1);
  return [`${text}x`, `${text}1`, `${begin}a`, `${begin}b`, `${begin}1`, `${begin}2`, begin];
}

function patternOf(pattern: Json | undefined): RegExp | undefined {
  return typeof pattern === "string" ? new RegExp(pattern, "u") : undefined;
}

function listOf(schema: JsonObject, secrets: SecretReferences, depth: number): Json | undefined {
  const first = Array.isArray(schema["prefixItems"]) ? schema["prefixItems"] : [];
  const least = numberOf(schema["minItems"]) ?? 0;
  const length = Math.max(
    least,
    Math.min(first.length, numberOf(schema["minItems"]) ?? first.length),
  );
  const list: Json[] = [];
  for (let at = 0; at < Math.min(length, textsMax); at += 1) {
    const item = sampleOf(first[at] ?? schema["items"], secrets, depth + 1);
    if (item === undefined) return undefined;
    list.push(item);
  }
  return list;
}

function objectOf(schema: JsonObject, secrets: SecretReferences, depth: number): Json | undefined {
  const required = Array.isArray(schema["required"]) ? schema["required"].map(String) : [];
  const properties = propertiesOf(schema);
  const value: Record<string, Json> = {};
  for (const [field, fieldSchema] of Object.entries(properties)) {
    const isWanted =
      required.includes(field) || (isObject(fieldSchema) && fieldSchema["default"] !== undefined);
    if (!isWanted) continue;
    const sample = sampleOf(fieldSchema, secrets, depth + 1);
    if (sample !== undefined) value[field] = sample;
    else if (depth > 0) return undefined;
  }
  return value;
}

/** The members of a choice. */
function branchesOf(schema: JsonObject): readonly Json[] {
  const branches = schema["anyOf"] ?? schema["oneOf"];
  return Array.isArray(branches) ? branches : [];
}

function typeOf(schema: JsonObject): string | undefined {
  const { type } = schema;
  const first = Array.isArray(type) ? type[0] : type;
  if (typeof first === "string") return first;
  return schema["properties"] === undefined ? undefined : "object";
}

/** The fields of an object's schema. */
export function propertiesOf(schema: JsonObject): JsonObject {
  const { properties } = schema;
  return isObject(properties) ? properties : {};
}

export function numberOf(value: Json | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function without(config: JsonObject, field: string): JsonObject {
  return Object.fromEntries(Object.entries(config).filter(([name]) => name !== field));
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
