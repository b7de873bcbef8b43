import { expect, test } from "vitest";
import { frozenObject } from "./attributes.ts";

test("what is deeply frozen and sorted is held as it is, whoever made it", () => {
  const value = Object.freeze({ a: Object.freeze([1, Object.freeze({ b: 2 })]), c: "x" });
  expect(frozenObject(value)).toBe(value);
  expect(frozenObject(value)).toBe(value);
});

test.each([
  { name: "is not frozen", value: { a: 1 } },
  { name: "is frozen outside only", value: Object.freeze({ a: { b: 1 } }) },
  { name: "is not sorted", value: Object.freeze({ b: 1, a: 1 }) },
  { name: "has a member that is undefined", value: Object.freeze({ a: undefined }) },
  { name: "has -0", value: Object.freeze({ a: -0 }) },
  {
    name: "has an accessor, which may give something else later",
    value: Object.freeze({
      get a() {
        return 1;
      },
    }),
  },
])("what $name is copied", ({ value }) => {
  const frozen = frozenObject(value);
  expect(frozen).not.toBe(value);
  expect(frozenObject(frozen)).toBe(frozen);
});
