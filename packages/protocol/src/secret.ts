import { z } from "zod";
import type { Json, JsonObject } from "./json.ts";

/**
 * Where the value of a secret stands on the node that runs the service: a file or a variable of `halond`'s environment.
 *
 * The value itself is never in the graph, in a record or on a command line (rfc/0008, configuration).
 */
export const SecretReference = z.strictObject({
  $secret: z
    .string()
    .max(4_096)
    .regex(
      /^(file:\/[^\0]+|env:[A-Za-z_][A-Za-z0-9_]*)$/,
      "expected file:/absolute/path or env:NAME",
    ),
});
export type SecretReference = z.infer<typeof SecretReference>;

/** Keyword of a JSON Schema: the field is a secret, and a configuration has a reference to it there. */
export const secretKeyword = "x-halon-secret";

/** Hops within a schema, and depth of a configuration; deeper ones are not valid. */
const depthMax = 200;

/** Whether a value is a reference to a secret. */
export function isSecretReference(value: unknown): value is SecretReference {
  return SecretReference.safeParse(value).success;
}

/**
 * What is wrong with the secrets of a configuration, or undefined: where, and what to write, never the value.
 *
 * To be asked before anything else looks at the configuration, so that no other complaint repeats the value.
 */
export function secretProblem(schema: JsonObject, config: JsonObject): string | undefined {
  const at = strayIn({ root: schema, schema, value: config, at: "config", depth: 0 });
  if (at === undefined) return undefined;
  return `${at} is a secret: give { "$secret": "file:/path" } or { "$secret": "env:NAME" }, which names a file or variable on the node, and not the value`;
}

interface Place {
  readonly root: JsonObject;
  readonly schema: Json | undefined;
  readonly value: Json | undefined;
  readonly at: string;
  readonly depth: number;
}

/** The first place where something else stands than the reference that belongs there. */
function strayIn(place: Place): string | undefined {
  const { root, schema, value, at, depth } = place;
  if (value === undefined || value === null || !isObject(schema)) return undefined;
  if (depth > depthMax) return at;
  if (schema[secretKeyword] === true) return isSecretReference(value) ? undefined : at;
  const next = (below: Json | undefined, member: Json | undefined, name?: string) =>
    strayIn({
      root,
      schema: below,
      value: member,
      at: name === undefined ? at : `${at}.${name}`,
      depth: depth + 1,
    });
  const reference = schema["$ref"];
  const alternatives = [
    ...(typeof reference === "string" ? [resolveIn(root, reference)] : []),
    ...["anyOf", "oneOf", "allOf"].flatMap((keyword) => listOf(schema[keyword])),
  ];
  for (const alternative of alternatives) {
    const stray = next(alternative, value);
    if (stray !== undefined) return stray;
  }
  for (const [name, member] of membersOf(value)) {
    const stray = next(schemaOf(schema, name, Array.isArray(value)), member, name);
    if (stray !== undefined) return stray;
  }
  return undefined;
}

function schemaOf(schema: JsonObject, name: string, isList: boolean): Json | undefined {
  if (isList) return listOf(schema["prefixItems"])[Number(name)] ?? schema["items"];
  const properties = schema["properties"];
  if (isObject(properties) && Object.hasOwn(properties, name)) return properties[name];
  return schema["additionalProperties"];
}

function membersOf(value: Json): readonly (readonly [string, Json])[] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

function resolveIn(root: JsonObject, reference: string): Json | undefined {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  let found: Json | undefined = root;
  for (const part of reference.slice(2).split("/")) {
    if (!isObject(found)) return undefined;
    found = found[part];
  }
  return found;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
