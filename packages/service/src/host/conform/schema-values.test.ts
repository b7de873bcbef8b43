import { expect, test } from "vitest";
import { z } from "zod";
import { plainProblem } from "./plain.ts";
import { problemOfSchema } from "./schema-problem.ts";
import {
  alternativesTo,
  badConfigs,
  type SecretReferences,
  sampleConfig,
} from "./schema-values.ts";

const secrets: SecretReferences = [{ $secret: "file:/one" }, { $secret: "file:/two" }];
const fields = {
  flag: z.boolean(),
  level: z.enum(["low", "high"]),
  share: z.number().gt(0).lt(1),
  count: z.number().int().min(3).max(3_000),
  even: z.number().int().multipleOf(2).min(5).max(9),
  port: z.number().int(),
  text: z.string().min(7).max(9),
  code: z.string().regex(/^[a-z]{2}$/),
  url: z.url(),
  list: z.array(z.string()).min(2),
  pair: z.tuple([z.number(), z.string()]),
  inner: z.object({ on: z.boolean() }),
  either: z.union([z.literal("auto"), z.number().min(1).max(2)]),
  nothing: z.null(),
  given: z.string().default("given"),
  left: z.string().optional(),
};
const type = z.object(fields);
const jsonSchema = z.toJSONSchema(type, { io: "input" }) as Parameters<typeof sampleConfig>[0];

test("a configuration that is made up fits its schema", () => {
  expect(type.safeParse(sampleConfig(jsonSchema, secrets)).error).toBeUndefined();
});

test("every other value fits its schema and is another", () => {
  const config = sampleConfig(jsonSchema, secrets);
  const others = alternativesTo(jsonSchema, config, secrets);
  for (const { field, value } of others) {
    expect(type.safeParse({ ...config, [field]: value }).error, field).toBeUndefined();
    expect(value).not.toEqual(config[field]);
  }
  const tried = others.map(({ field }) => field);
  // It has one value only.
  expect(Object.keys(fields).filter((field) => !tried.includes(field))).toEqual(["nothing"]);
});

test("only what a schema lists or bounds is certain to be taken", () => {
  const others = alternativesTo(jsonSchema, sampleConfig(jsonSchema, secrets), secrets);
  const certain = others.filter(({ isCertain }) => isCertain).map(({ field }) => field);
  expect(certain).toEqual(["flag", "level", "share", "count", "even", "inner", "either"]);
});

test("of bad configurations a strict schema refuses most", () => {
  const strict = z.strictObject(fields);
  const bad = badConfigs(jsonSchema, sampleConfig(jsonSchema, secrets));
  expect(bad.filter((config) => !strict.safeParse(config).success).length).toBeGreaterThan(20);
});

test.each([
  [{ a: [1, "x", null, true, { b: undefined }] }, undefined],
  [undefined, " is a undefined"],
  [{ a: Number.NaN }, ".a is NaN"],
  [{ a: [new Date(0)] }, ".a[0] is a Date"],
  [{ a: 1n }, ".a is a bigint"],
  [new Uint8Array(1), " is a Uint8Array"],
])("plain data: %o", (value, problem) => {
  expect(plainProblem(value)).toBe(problem);
});

test("a schema that can be met has no problem", () => {
  expect(problemOfSchema(jsonSchema, "config")).toBeUndefined();
});

test.each([
  [z.number().int().gt(1).lt(2), "no whole number is between 1 and 2"],
  [z.number().gt(2).max(2), "no number is at least 2 and at most 2"],
  [z.array(z.string()).min(3).max(2), "no list has a length"],
  [z.union([z.string(), z.number().min(2).max(1)]), "no number"],
  [z.record(z.string(), z.string().min(2).max(1)), "config.it.*: no text"],
])("%#: what contradicts itself is named", (schema, problem) => {
  const json = z.toJSONSchema(z.object({ it: schema }), { io: "input" });
  expect(problemOfSchema(json as never, "config")).toContain(problem);
});
