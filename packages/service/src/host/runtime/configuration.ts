import { createHash } from "node:crypto";
import {
  canonicalJson,
  type JsonObject,
  type JsonSchema,
  type ServiceManifest,
  secretProblem,
} from "@halon/protocol";
import { z } from "zod";
import type { ConfigOutcome } from "../../core/index.ts";

const schemasMax = 256;
const schemas = new Map<string, z.ZodType>();

/** Checks a configuration against the schema of its type. */
export function checkConfig(
  manifest: Pick<ServiceManifest, "schemaHash" | "configurationSchema">,
  config: JsonObject,
): ConfigOutcome {
  const stray = secretProblem(manifest.configurationSchema, config);
  if (stray !== undefined) return { type: "invalid", reason: stray };
  const parsed = schemaFor(manifest.schemaHash, manifest.configurationSchema).safeParse(config);
  if (parsed.success) return { type: "valid", config: parsed.data as JsonObject };
  const issue = parsed.error.issues[0];
  const path = (issue?.path ?? []).map(String).join(".");
  const what = issue?.message ?? "it does not fit";
  return { type: "invalid", reason: `config${path === "" ? "" : `.${path}`}: ${what}` };
}

/** SHA-256 of the one encoding of a value. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}

/** The schema as code, by its hash; the last ones are kept. */
export function schemaFor(hash: string, jsonSchema: JsonSchema): z.ZodType {
  const known = schemas.get(hash);
  if (known !== undefined) return known;
  const schema = z.fromJSONSchema(jsonSchema as z.core.JSONSchema.JSONSchema);
  const oldest = schemas.keys().next().value;
  if (schemas.size >= schemasMax && oldest !== undefined) schemas.delete(oldest);
  schemas.set(hash, schema);
  return schema;
}
