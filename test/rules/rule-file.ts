import { type JsonSchema, RuleFileManifest } from "@halon/protocol";
import { type Rules, z } from "@halon/rules";
import { hashLike } from "../../packages/coordinator/testdata/samples.ts";

/** The rules as a cluster file names them. */
export function ruleFileManifest(name: string, { rules, events, resources }: Rules) {
  const schemaOf = (schema: z.ZodType) => z.toJSONSchema(schema) as JsonSchema;
  const patterns = Object.entries(rules).flatMap(([rule, { pattern }]) =>
    pattern === undefined ? [] : [[rule, pattern.description] as const],
  );
  return RuleFileManifest.parse({
    name,
    blob: hashLike(name),
    rules: Object.keys(rules),
    events: events.map(({ type, version, schema }) => ({
      type,
      version,
      schema: schemaOf(schema as z.ZodType),
    })),
    resources: Object.fromEntries(
      Object.entries(resources).map(([kind, schema]) => [kind, schemaOf(schema)]),
    ),
    ...(patterns.length === 0 ? {} : { patterns: Object.fromEntries(patterns) }),
  });
}
