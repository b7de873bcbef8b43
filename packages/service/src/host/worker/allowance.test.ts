import { expect, test } from "vitest";
import { createAllowance } from "./allowance.ts";

test("so many at once are allowed, then so many a second, and never more saved up than at once", () => {
  let now = 0;
  const allow = createAllowance({ atOnce: 3, perSecond: 10 }, () => now);
  const allowed = () => Array.from({ length: 10 }, allow).filter(Boolean).length;
  expect(allowed()).toBe(3);
  now = 99;
  expect(allowed()).toBe(0);
  now = 250;
  expect(allowed()).toBe(2);
  now = 60_000;
  expect(allowed()).toBe(3);
});
