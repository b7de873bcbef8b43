import {
  builtInKinds,
  HalonError,
  type JsonObject,
  type Resource,
  ResourceKindName,
} from "@halon/protocol";
import { z } from "zod";
import { assertJson, frozenObject } from "./attributes.ts";

/**
 * The internal kind whose resources are the definitions of user-defined kinds: `Kind/TcpPort` has the JSON
 * Schema of the attributes of every `TcpPort`.
 *
 * Being a resource, a definition is in deltas and snapshots like everything else.
 */
export const definitionKind = "Kind";

const Definition = z.strictObject({ schema: z.record(z.string(), z.json()) });

/** A definition's resource is replaced when its schema changes, so the compiled schema goes with it. */
const compiled = new WeakMap<Resource, z.ZodType>();

export type Definitions = (kind: string) => Resource | undefined;

export function isBuiltIn(kind: string): kind is keyof typeof builtInKinds {
  return Object.hasOwn(builtInKinds, kind);
}

/** Throws HAL_BAD_REQUEST when there is no such kind. */
export function assertKind(kind: string, definitions: Definitions): void {
  if (isBuiltIn(kind) || kind === definitionKind || definitions(kind) !== undefined) return;
  throw new HalonError(
    "HAL_BAD_REQUEST",
    `There is no kind ${JSON.stringify(kind)}; built in are ${Object.keys(builtInKinds).join(", ")}. ` +
      "Define it first.",
    { details: { kind } },
  );
}

/**
 * The attributes as the graph keeps them: valid for the kind, with its defaults, sorted and frozen.
 *
 * Throws HAL_BAD_REQUEST for an unknown kind or what JSON cannot hold, HAL_SCHEMA_VIOLATION for what does not
 * fit the kind.
 */
export function validAttributes(
  kind: string,
  id: string,
  attributes: object,
  definitions: Definitions,
): JsonObject {
  const name = `${kind}/${id}`;
  assertKind(kind, definitions);
  assertJson(attributes, name);
  const parsed = schemaOf(kind, definitions).safeParse(attributes);
  if (!parsed.success) throw violation(`${name} does not fit its kind`, parsed.error);
  const valid = frozenObject(parsed.data as object);
  if (kind === definitionKind) assertDefinition(id, valid);
  return valid;
}

function schemaOf(kind: string, definitions: Definitions): z.ZodType {
  if (isBuiltIn(kind)) return builtInKinds[kind];
  if (kind === definitionKind) return Definition;
  const definition = definitions(kind);
  if (definition === undefined) throw new Error(`the kind ${kind} was not asserted`);
  const known = compiled.get(definition);
  if (known !== undefined) return known;
  const schema = compile(kind, definition.attributes);
  compiled.set(definition, schema);
  return schema;
}

function assertDefinition(kind: string, attributes: JsonObject): void {
  const name = ResourceKindName.safeParse(kind);
  if (!name.success) throw violation(`${JSON.stringify(kind)} cannot name a kind`, name.error);
  if (isBuiltIn(kind) || kind === definitionKind) {
    throw new HalonError(
      "HAL_CONFLICT",
      `The kind ${kind} is built in and cannot be defined; choose another name.`,
      { details: { kind } },
    );
  }
  compile(kind, attributes);
}

function compile(kind: string, { schema }: JsonObject): z.ZodType {
  const root = schema as JsonObject;
  if (root["type"] !== "object") {
    throw new HalonError(
      "HAL_SCHEMA_VIOLATION",
      `The schema of the kind ${kind} describes ${JSON.stringify(root["type"] ?? null)}; ` +
        'attributes are an object, so its "type" must be "object".',
      { details: { kind } },
    );
  }
  try {
    // A registry of its own: zod's global one would keep every schema that was ever compiled.
    return z.fromJSONSchema(root as Parameters<typeof z.fromJSONSchema>[0], {
      registry: z.registry(),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HalonError(
      "HAL_SCHEMA_VIOLATION",
      `The schema of the kind ${kind} cannot be used: ${reason}.`,
      { cause: error, details: { kind } },
    );
  }
}

function violation(what: string, error: z.ZodError): HalonError {
  const issues = error.issues.slice(0, 5).map(({ path, message }) => {
    return path.length === 0 ? message : `${path.join(".")}: ${message}`;
  });
  return new HalonError("HAL_SCHEMA_VIOLATION", `${what}: ${issues.join("; ")}.`, {
    details: { issues },
  });
}
