import fc from "fast-check";
import { expect, test } from "vitest";
import { indented } from "./json-text.ts";

test("a layout for people is that of JSON.stringify", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(indented(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
    }),
  );
});

test("integers keep their digits", () => {
  expect(indented('{"a":[18446744073709551615,-9223372036854775808]}')).toBe(
    '{\n  "a": [\n    18446744073709551615,\n    -9223372036854775808\n  ]\n}',
  );
});
