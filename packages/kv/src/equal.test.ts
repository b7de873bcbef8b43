import fc from "fast-check";
import { expect, test } from "vitest";
import { compareKeys, equal } from "./equal.ts";
import { parseJson } from "./json.ts";
import { treeOf } from "./tree.ts";
import type { Value } from "./value.ts";

test.each([
  ["null", "null", true],
  ["0", "-0", true],
  ["1", "1.0", true],
  ["9007199254740993", "9007199254740992", false],
  ["18446744073709551615", "18446744073709551616", false],
  ["10000000000000000000", "1e19", true],
  ["1", '"1"', false],
  ["1", "true", false],
  ["0", "null", false],
  ["[]", "{}", false],
  ["[1,2]", "[2,1]", false],
  ["[1,2]", "[1]", false],
  ['{"a":1,"b":[{"c":2}]}', '{"b":[{"c":2}],"a":1}', true],
  ['{"a":1}', '{"b":1}', false],
  ['{"a":1}', '{"a":1,"b":2}', false],
  ['{"a":{"b":1}}', '{"a":{"b":2}}', false],
])("%s and %s: equal is %s", (a, b, expected) => {
  expect(equal(parseJson(a), parseJson(b))).toBe(expected);
  expect(equal(parseJson(b), parseJson(a))).toBe(expected);
});

test("a bigint and a double are compared exactly", () => {
  expect(equal(9007199254740993n, 9007199254740992)).toBe(false);
  expect(equal(9007199254740992n, 9007199254740992)).toBe(true);
});

test("values nested deeper than the stack are compared", () => {
  const deep = (end: Value): Value => {
    let value = end;
    for (let i = 0; i < 20_000; i += 1) value = treeOf([["a", value]]);
    return value;
  };
  expect(equal(deep(1), deep(1))).toBe(true);
  expect(equal(deep(1), deep(2))).toBe(false);
});

test("keys are in the order of their UTF-8 bytes", () => {
  const unit = fc.constantFrom(
    "a",
    "b",
    "\u007f",
    "\u00e9",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\u{10000}",
  );
  const key = fc.string({ unit, maxLength: 4 });
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    {
      examples: [
        ["\u{10000}", "\uffff"],
        ["a", "ab"],
      ],
      numRuns: 500,
    },
  );
});
