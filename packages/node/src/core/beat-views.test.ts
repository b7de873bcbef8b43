import { expect, test } from "vitest";
import { opinionAgeMs } from "./beat-views.ts";

test.each([
  { name: "a beat of a moment ago", heardAt: 9_900, lateAt: -Infinity, ageMs: 100 },
  { name: "an old beat", heardAt: 8_000, lateAt: -Infinity, ageMs: 2_000 },
  { name: "an old beat, and it was late itself", heardAt: 8_000, lateAt: 9_000, ageMs: null },
  { name: "a fresh beat, though it was late itself", heardAt: 9_600, lateAt: 9_900, ageMs: 400 },
  {
    name: "nothing for so long that it may not watch any more",
    heardAt: -100,
    lateAt: 0,
    ageMs: null,
  },
])("an observer says of a node: $name", ({ heardAt, lateAt, ageMs }) => {
  expect(opinionAgeMs({ heardAt, lateAt }, 10_000)).toBe(ageMs);
});
