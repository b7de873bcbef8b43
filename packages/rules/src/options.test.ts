import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineRules } from "./define-rules.ts";
import { defineInvariant } from "./invariant.ts";
import { rulesOf } from "./options.ts";

const options = z.strictObject({
  errors: z.number().int().min(1).default(3),
  mode: z.enum(["soft", "hard"]).default("soft"),
  labels: z.record(z.string(), z.string()).default({}),
});
const seen: unknown[] = [];
const file = defineRules(
  (given) => {
    seen.push(given);
    return {};
  },
  { options },
);
const takes =
  'The file takes errors (integer from 1, default 3), labels (object, default {}), mode ("soft" or "hard", default "soft")';

test("the rules' function is given the options with their defaults, as data that nobody can change", () => {
  const { options: taken } = rulesOf(file, { errors: 5 });
  expect(taken).toEqual({ errors: 5, mode: "soft", labels: {} });
  expect(seen.at(-1)).toBe(taken);
  expect(Object.isFrozen(taken) && Object.isFrozen(taken?.["labels"])).toBe(true);
});

test("options that come back from the graph are the same", () => {
  const { options: first = {} } = rulesOf(file, { mode: "hard" });
  expect(rulesOf(file, first).options).toEqual(first);
});

describe("options are refused with path, value and what is allowed:", () => {
  test.each([
    ["a wrong type", { errors: "x" }, 'options.errors: expected number, got "x"'],
    ["out of range", { errors: 0 }, "options.errors: Too small: expected number to be >=1, got 0"],
    ["an unknown one", { errrs: 5 }, "options.errrs: there is no such option, got 5"],
    ["a nested value", { labels: { a: 1 } }, "options.labels.a: expected string, got 1"],
  ])("%s", (_, given, message) => {
    expect(() => rulesOf(file, given)).toThrow(`${message}. ${takes}`);
  });

  test("more than 64 KiB", () => {
    expect(() => rulesOf(file, { labels: { a: "x".repeat(65_536) } })).toThrow(
      "at most 65536 are allowed",
    );
  });

  test("those of a file that takes none", () => {
    expect(() => rulesOf(defineRules({}), { errors: 1 })).toThrow(
      "options.errors: the file takes no options",
    );
  });
});

describe("a file is refused", () => {
  test.each([
    ["whose rules are a function without a schema", undefined, "need a schema of their options"],
    ["whose schema is no object", z.string(), "no z.strictObject"],
    [
      "whose schema gives what JSON cannot hold",
      z.strictObject({ at: z.date() }),
      "what JSON cannot hold",
    ],
  ])("%s", (_, schema, message) => {
    expect(() => defineRules((() => ({})) as never, { options: schema } as never)).toThrow(message);
  });

  test("whose rules are a promise", () => {
    const late = defineRules((async () => ({})) as never, { options });
    expect(() => rulesOf(late)).toThrow("not a promise of one");
  });

  test.each([undefined, null, 1, {}])("that exports %j", (value) => {
    expect(() => rulesOf(value)).toThrow("export default defineRules");
  });

  test("with two invariants of one name", () => {
    const same = defineInvariant("same", { reads: ["Node"], holds: () => true });
    expect(() => defineRules({}, { invariants: [same, same] })).toThrow("two invariants");
  });
});

test("an invariant may be all that a file has", () => {
  const alone = defineInvariant("alone", { reads: ["Node"], holds: () => true });
  expect(rulesOf(alone).rules).toMatchObject({ rules: {}, invariants: [alone] });
});

test.each([
  ["a name", "no name", { reads: ["Node"] }, "its name is"],
  ["kinds to look at", "x", { reads: [] }, "reads names 0 kinds"],
  ["kinds other than its own", "x", { reads: ["Invariant"] }, "reads names Invariant"],
])("an invariant has %s", (_, name, about, message) => {
  expect(() => defineInvariant(name, { ...about, holds: () => true })).toThrow(message);
});
