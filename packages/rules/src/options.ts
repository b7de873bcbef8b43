import {
  canonicalJson,
  HalonError,
  type JsonObject,
  optionTexts,
  ruleOptionsMax,
} from "@halon/protocol";
import { z } from "zod";
import type { Invariant } from "./invariant.ts";
import { plain } from "./plain.ts";
import type { Rules } from "./rule.ts";

/** The value of a rule file that takes options: rules come of it when they are given. */
export interface ConfigurableRules {
  readonly kind: "configurable";
  readonly schema: z.ZodObject;
  readonly build: (options: never) => Rules;
}

/** The rules of a file, with the options that they were made of. */
export interface ConfiguredFile {
  readonly rules: Rules;
  /** Defaults included; absent: the file takes none. */
  readonly options?: JsonObject;
  /** A JSON Schema of what it may be given. */
  readonly optionsSchema?: JsonObject;
}

/**
 * What the default export of a rule file comes to: rules, or an invariant alone.
 *
 * `given`: options; those that are not there take their defaults. Throws HAL_CONFIG_INVALID on a value that is neither, and on
 * options that the file's schema refuses, with path, value and what is allowed.
 */
export function rulesOf(exported: unknown, given: JsonObject = {}): ConfiguredFile {
  const value = exported as Rules | ConfigurableRules | Invariant | null | undefined;
  switch (value?.kind) {
    case "configurable": {
      const options = optionsOf(value.schema, given);
      return {
        rules: value.build(options as never),
        options,
        optionsSchema: describe(value.schema),
      };
    }
    case "rules":
      refuseOptions(given);
      return { rules: value };
    case "invariant":
      refuseOptions(given);
      return {
        rules: { kind: "rules", rules: {}, events: [], resources: {}, invariants: [value] },
      };
    default:
      throw new HalonError(
        "HAL_CONFIG_INVALID",
        "the file's default export is not the value of defineRules or defineInvariant. Write: export default defineRules({ … })",
      );
  }
}

/** The schema, when values of it can be options. Throws HAL_CONFIG_INVALID with what to write. */
export function checkOptionsSchema(schema: z.ZodObject | undefined): z.ZodObject {
  const refuse = (what: string): never => {
    throw new HalonError("HAL_CONFIG_INVALID", `options: ${what}`);
  };
  if (schema === undefined)
    return refuse(
      "rules that are a function need a schema of their options: defineRules((options) => ({ … }), { options: z.strictObject({ … }) })",
    );
  if (schema._zod?.def.type !== "object") return refuse("the schema is no z.strictObject({ … })");
  try {
    z.toJSONSchema(schema, { io: "output" });
  } catch (error) {
    return refuse(`the schema has what JSON cannot hold: ${(error as Error).message}`);
  }
  return schema;
}

/** The options with their defaults, as plain frozen data. Throws HAL_CONFIG_INVALID. */
function optionsOf(schema: z.ZodObject, given: JsonObject): JsonObject {
  const refuse = (what: string): never => {
    const takes = takesText(describe(schema));
    throw new HalonError("HAL_CONFIG_INVALID", `options${what}. The file takes ${takes}`);
  };
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(schema.shape, name));
  if (unknown !== undefined && schema._zod.def.catchall?._zod.def.type !== "unknown")
    return refuse(`.${unknown}: there is no such option, got ${shown(given[unknown])}`);
  const size = canonicalJson(given).length;
  if (size > ruleOptionsMax)
    return refuse(`: ${size} characters of JSON, at most ${ruleOptionsMax} are allowed`);
  const parsed = schema.safeParse(given);
  if (parsed.success) return plain(parsed.data, "options") as JsonObject;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  const what = (issue?.message ?? "not valid").replace(/^Invalid input: /, "");
  const found = path.reduce<unknown>((value, part) => memberOf(value, part), given);
  return refuse(
    `${path.map(pathPart).join("")}: ${what.replace(/, received .*$/, "")}, got ${shown(found)}`,
  );
}

function refuseOptions(given: JsonObject): void {
  const [name] = Object.keys(given);
  if (name === undefined) return;
  throw new HalonError(
    "HAL_CONFIG_INVALID",
    `options.${name}: the file takes no options. Remove it, or declare them in the file: defineRules((options) => ({ … }), { options: z.strictObject({ … }) })`,
  );
}

/** What may be given, as a sentence: from the JSON Schema of the options. */
function takesText(schema: JsonObject): string {
  const options = optionTexts(schema).map(({ name, type, isRequired, default: standard }) => {
    if (isRequired) return `${name} (${type}, required)`;
    return standard === undefined
      ? `${name} (${type})`
      : `${name} (${type}, default ${shown(standard)})`;
  });
  return options.length === 0 ? "no options" : options.join(", ");
}

function describe(schema: z.ZodObject): JsonObject {
  const {
    $schema: _,
    "~standard": __,
    ...rest
  } = z.toJSONSchema(schema, { io: "input" }) as Record<string, unknown>;
  return plain(rest) as JsonObject;
}

function memberOf(value: unknown, part: PropertyKey): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<PropertyKey, unknown>>)[part]
    : undefined;
}

function pathPart(part: PropertyKey): string {
  return typeof part === "number" ? `[${part}]` : `.${String(part)}`;
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 120);
}
