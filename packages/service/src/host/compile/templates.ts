import {
  HalonError,
  type Json,
  type JsonObject,
  type ServiceManifest,
  secretKeyword,
  secretProblem,
} from "@halon/protocol";

/**
 * Refuses what would fail at every start, or tell a secret. Throws HAL_CONFIG_INVALID.
 *
 * A template names fields that the configuration has; a secret may stand in the environment only, since every user of a
 * machine sees its command lines; and a schema has no default for a secret.
 */
export function checkTemplates(manifest: ServiceManifest, path: string): void {
  const schema = manifest.configurationSchema;
  const properties = (schema["properties"] ?? {}) as JsonObject;
  const secrets = secretFields(schema, properties);
  for (const { part, text, hidesSecrets } of templatesOf(manifest)) {
    for (const [, field = ""] of text.matchAll(/\{config\.([A-Za-z0-9_]+)/g)) {
      if (!Object.hasOwn(properties, field)) throw unknownField(part, field, properties, path);
      if (secrets.has(field) && !hidesSecrets) throw bareSecret(part, field, path);
    }
  }
  const at = defaultSecret(schema, "config");
  if (at === undefined) return;
  const message = `${path}: ${at} has a default for a secret, which would be in the cluster for everybody to see. Remove it.`;
  throw new HalonError("HAL_CONFIG_INVALID", message);
}

interface Part {
  readonly part: string;
  readonly text: string;
  readonly hidesSecrets: boolean;
}

function templatesOf({ process, systemd }: ServiceManifest): readonly Part[] {
  const parts = Object.entries({ ...process, ...systemd }).map(([part, value]) => ({
    part,
    text: JSON.stringify(value),
    hidesSecrets: part === "env",
  }));
  return parts;
}

function unknownField(part: string, field: string, known: object, path: string): HalonError {
  const names = Object.keys(known);
  const fields = names.length === 0 ? "no fields" : names.join(", ");
  const message = `${path}: ${part} names {config.${field}}, and config has ${fields}. Add the field or correct the name.`;
  return new HalonError("HAL_CONFIG_INVALID", message);
}

function bareSecret(part: string, field: string, path: string): HalonError {
  const message = `${path}: ${part} names {config.${field}}, which is a secret and would be seen by others there. Give it to the process in env.`;
  return new HalonError("HAL_CONFIG_INVALID", message);
}

/** Fields in which a secret stands, at whatever depth. */
function secretFields(schema: JsonObject, properties: JsonObject): ReadonlySet<string> {
  const marks = (value: Json | undefined) =>
    JSON.stringify(value ?? null).includes(`"${secretKeyword}":true`);
  const shared = marks(schema["$defs"]);
  const names = Object.entries(properties)
    .filter(([, member]) => marks(member) || (shared && JSON.stringify(member).includes('"$ref"')))
    .map(([name]) => name);
  return new Set(names);
}

/** Where a schema has a default that holds the value of a secret. */
function defaultSecret(schema: Json | undefined, at: string): string | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  if (!Array.isArray(schema)) {
    const node = schema as JsonObject;
    const wrapped = { properties: { value: node } };
    const value = node["default"];
    if (value !== undefined && secretProblem(wrapped, { value }) !== undefined) return at;
  }
  for (const [name, member] of Object.entries(schema)) {
    const found = defaultSecret(member as Json, name === "properties" ? at : `${at}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
