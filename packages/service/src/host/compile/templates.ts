import {
  HalonError,
  type Json,
  type JsonObject,
  type ServiceManifest,
  secretKeyword,
  secretProblem,
} from "@halon/protocol";
import { isGivenName, namesIn } from "../process/template.ts";

/**
 * Refuses what would fail at every start, or tell a secret. Throws HAL_CONFIG_INVALID.
 *
 * A template names what stands for something, of the configuration fields that it has; a secret may stand in the environment only, since every user of a
 * machine sees its command lines; and a schema has no default for a secret.
 */
export function checkTemplates(manifest: ServiceManifest, path: string): void {
  const schema = manifest.configurationSchema;
  const properties = (schema["properties"] ?? {}) as JsonObject;
  const secrets = secretFields(schema, properties);
  for (const { part, text, hidesSecrets, groups } of templatesOf(manifest, path)) {
    for (const name of namesIn(text)) {
      if (name === undefined) throw strangeText(part, text, path);
      if (isGivenName(name) || groups.includes(name)) continue;
      if (!name.startsWith("config.")) throw strangeName(part, name, path);
      const field = name.slice("config.".length);
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
  /** Names that a pattern gives. */
  readonly groups: readonly string[];
}

function templatesOf({ process, systemd }: ServiceManifest, path: string): readonly Part[] {
  const groups = groupsOf(process?.ready, path);
  return Object.entries({ ...process, ...systemd }).flatMap(([part, value]) =>
    textsIn(value).map((text) => ({ part, text, hidesSecrets: part === "env", groups })),
  );
}

/** What in a check is no template. */
const plain = ["type", "pattern"];

function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    plain.includes(name) ? [] : textsIn(member),
  );
}

/** The named groups of the pattern that a ready process prints. Throws HAL_CONFIG_INVALID when it is none. */
function groupsOf(
  ready: NonNullable<ServiceManifest["process"]>["ready"] | undefined,
  path: string,
): readonly string[] {
  if (ready?.type !== "output") return [];
  try {
    new RegExp(ready.pattern);
  } catch (cause) {
    const message = `${path}: process.ready.pattern is no regular expression: ${(cause as Error).message}. Correct it.`;
    throw new HalonError("HAL_CONFIG_INVALID", message, { cause });
  }
  return [...ready.pattern.matchAll(/\(\?<([A-Za-z_$][\w$]*)>/g)].map(([, name = ""]) => name);
}

function strangeText(part: string, text: string, path: string): HalonError {
  const message = `${path}: ${part} has ${JSON.stringify(text.slice(0, 200))} with a { that is not closed. Write {{ for a brace.`;
  return new HalonError("HAL_CONFIG_INVALID", message);
}

function strangeName(part: string, name: string, path: string): HalonError {
  const message = `${path}: ${part} names {${name.slice(0, 100)}}, which stands for nothing. Write {config.<field>}, {instance}, {service}, {node}, {directory} or {token}, and {{ for a brace.`;
  return new HalonError("HAL_CONFIG_INVALID", message);
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
