import { basename } from "node:path";
import {
  HalonError,
  type JsonObject,
  JsonSchema,
  PatternDescription,
  RuleFileManifest,
  RuleOptions,
} from "@halon/protocol";
import { z } from "zod";
import { bundleRuleFile } from "./bundle.ts";
import type { CompiledRules } from "./compiled.ts";
import { parseAuthored } from "./parse.ts";
import { readModule } from "./read-module.ts";

const Described = z.strictObject({
  kind: z.literal("rules"),
  runs: z.literal("node").optional(),
  hears: z.array(z.string()).optional(),
  rules: z.array(z.string()),
  events: z.array(
    z.strictObject({
      type: z.string(),
      version: z.number().int(),
      schema: JsonSchema,
      from: z.array(z.number().int()).optional(),
    }),
  ),
  resources: z.record(z.string(), JsonSchema).default({}),
  patterns: z.record(z.string(), PatternDescription).default({}),
  invariants: z.array(z.string()).default([]),
  options: RuleOptions.optional(),
  optionsSchema: JsonSchema.optional(),
});

/** What the rules that every cluster has are called. */
const builtIn = "builtin";

/**
 * Compiles a rule file, with the options that it is given; it is known by its file name.
 *
 * Throws HAL_COMPILE_FAILED, HAL_CONFIG_INVALID, HAL_TOO_LARGE.
 */
export async function compileRuleFile(path: string, given?: JsonObject): Promise<CompiledRules> {
  const bundle = await bundleRuleFile(path);
  const value = await readModule(bundle, given);
  const described = parseAuthored(Described, value, bundle.path);
  const { runs, hears, rules, events, resources, patterns, invariants } = described;
  const { options, optionsSchema } = described;
  const name = basename(bundle.path)
    .replace(/(\.rules|\.invariant)?\.[a-z]+$/, "")
    .toLowerCase();
  if (name === builtIn) {
    const message = `${bundle.path}: the rules of Halon itself are called "${builtIn}". Give the file another name.`;
    throw new HalonError("HAL_CONFIG_INVALID", message);
  }
  const manifest = parseAuthored(
    RuleFileManifest,
    {
      name,
      blob: bundle.blob.hash,
      rules,
      events,
      resources,
      ...(runs === undefined ? {} : { runs, hears: hears ?? [] }),
      ...(Object.keys(patterns).length === 0 ? {} : { patterns }),
      ...(invariants.length === 0 ? {} : { invariants }),
      ...(options === undefined ? {} : { options, optionsSchema }),
    },
    bundle.path,
  );
  return { manifest, blob: bundle.blob };
}
