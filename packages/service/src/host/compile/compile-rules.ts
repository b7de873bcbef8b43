import { basename } from "node:path";
import { HalonError, JsonSchema, PatternDescription, RuleFileManifest } from "@halon/protocol";
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
    z.strictObject({ type: z.string(), version: z.number().int(), schema: JsonSchema }),
  ),
  resources: z.record(z.string(), JsonSchema).default({}),
  patterns: z.record(z.string(), PatternDescription).default({}),
});

/** What the rules that every cluster has are called. */
const builtIn = "builtin";

/** Compiles a rule file; it is known by its file name. Throws HAL_COMPILE_FAILED, HAL_CONFIG_INVALID, HAL_TOO_LARGE. */
export async function compileRuleFile(path: string): Promise<CompiledRules> {
  const bundle = await bundleRuleFile(path);
  const value = await readModule(bundle);
  if ((value as { kind?: unknown } | undefined | null)?.kind !== "rules") {
    const message = `${bundle.path} does not export rules. Write: export default defineRules({…}).`;
    throw new HalonError("HAL_CONFIG_INVALID", message);
  }
  const { runs, hears, rules, events, resources, patterns } = parseAuthored(
    Described,
    value,
    bundle.path,
  );
  const name = basename(bundle.path)
    .replace(/(\.rules)?\.[a-z]+$/, "")
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
    },
    bundle.path,
  );
  return { manifest, blob: bundle.blob };
}
