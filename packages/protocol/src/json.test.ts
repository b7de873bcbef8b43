import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, compareText } from "./json.ts";

describe("canonicalJson", () => {
  test.each([
    {
      name: "sorts keys at every depth",
      value: { b: 1, a: { d: 2, c: 3 } },
      text: '{"a":{"c":3,"d":2},"b":1}',
    },
    { name: "keeps the order of arrays", value: [3, 1, 2], text: "[3,1,2]" },
    {
      name: "leaves out members that are undefined",
      value: { a: undefined, b: null },
      text: '{"b":null}',
    },
    {
      name: "sorts by UTF-16 code unit, so upper case first",
      value: { a: 1, B: 2 },
      text: '{"B":2,"a":1}',
    },
    { name: "writes -0 as 0, as JSON does", value: -0, text: "0" },
    {
      name: "sorts members that are numbers as text, unlike an object does",
      value: { a: { 9: 1, 10: 2 } },
      text: '{"a":{"10":2,"9":1}}',
    },
    {
      name: "keeps a member __proto__",
      value: { b: 1, a: JSON.parse('{"z":1,"__proto__":2}') },
      text: '{"a":{"__proto__":2,"z":1},"b":1}',
    },
    {
      name: "asks no toJSON, but takes its members",
      value: { a: { toJSON: undefined, b: 1 } },
      text: '{"a":{"b":1}}',
    },
    { name: "escapes as JSON does", value: 'a"\n', text: '"a\\"\\n"' },
  ])("$name", ({ value, text }) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test.each([
    { name: "NaN", value: Number.NaN },
    { name: "an infinity", value: [1, Number.POSITIVE_INFINITY] },
    { name: "undefined in an array", value: [undefined] },
    { name: "a bigint", value: { a: 1n } },
    { name: "a function", value: () => 1 },
  ])("refuses $name, which JSON would change silently", ({ value }) => {
    expect(() => canonicalJson(value)).toThrow(RangeError);
  });

  test("reading what was written gives the same text again", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });

  test("the order in which members were set does not show", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(value));
      }),
    );
  });
});

test("compareText orders as sort() does by default, whatever the locale", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (texts) => {
      expect([...texts].sort(compareText)).toEqual([...texts].sort());
    }),
  );
});
