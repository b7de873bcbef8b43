import { z } from "zod";
import { JsonValue } from "./json.ts";
import { PatternDescription } from "./pattern.ts";

/** Characters of JSON that the options of one rule file may have. */
export const ruleOptionsMax = 65_536;

/** Options of a rule file, by name. */
export const RuleOptions = z.record(z.string(), JsonValue);
export type RuleOptions = z.infer<typeof RuleOptions>;

/** A version of a rule file: its blob, and of a file that takes options `blob#edition`. */
export const RuleFileVersion = z
  .string()
  .regex(/^[0-9a-f]{64}(#\d+)?$/, "expected the hash of a blob, or hash#edition");

/** What the code of a rule file, `blob`, makes of options. */
export const ConfiguredRules = z.strictObject({
  blob: z.string(),
  /** Defaults included. */
  options: RuleOptions,
  rules: z.array(z.string()),
  patterns: z.record(z.string(), PatternDescription),
  invariants: z.array(z.string()),
});
export type ConfiguredRules = z.infer<typeof ConfiguredRules>;
