import { z } from "zod";
import { type Json, type JsonObject, JsonValue } from "./json.ts";
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

/** One option of a rule file, as people are told of it. */
export interface OptionText {
  readonly name: string;
  /** Such as `integer from 1 to 9`, or `"soft" or "hard"`. */
  readonly type: string;
  readonly default?: Json;
  readonly isRequired: boolean;
}

/** What the schema of options lets be given. */
export function optionTexts({ properties, required }: JsonObject): readonly OptionText[] {
  const needed = Array.isArray(required) ? required : [];
  const members = Object.entries((properties ?? {}) as Readonly<Record<string, JsonObject>>);
  return members.map(([name, schema]) => {
    const standard = schema["default"];
    return {
      name,
      type: typeText(schema),
      ...(standard === undefined ? {} : { default: standard }),
      isRequired: standard === undefined && needed.includes(name),
    };
  });
}

function typeText({ type, enum: values, minimum, maximum }: JsonObject): string {
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" or ");
  const range = [
    ...(isBound(minimum) ? [`from ${minimum}`] : []),
    ...(isBound(maximum) ? [`to ${maximum}`] : []),
  ];
  return [typeof type === "string" ? type : "any of several", ...range].join(" ");
}

/** Whole numbers have the bounds of what JSON can hold, which nobody asked for. */
function isBound(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER;
}
