import { expect, test } from "vitest";
import { Prng } from "./prng.ts";

const first = (prng: Prng): readonly number[] => Array.from({ length: 8 }, () => prng.next());

test("equal seed, purpose and number give equal streams", () => {
  expect(first(new Prng(42, "link", 3))).toEqual(first(new Prng(42, "link", 3)));
});

test.each([
  ["seed", new Prng(43, "link", 3)],
  ["high half of the seed", new Prng(42 + 2 ** 32, "link", 3)],
  ["purpose", new Prng(42, "disk", 3)],
  ["number", new Prng(42, "link", 4)],
])("another %s gives another stream", (_name, other) => {
  expect(first(other)).not.toEqual(first(new Prng(42, "link", 3)));
});

test("draws are spread over the range and stay in it", () => {
  const prng = new Prng(1, "spread");
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const at = prng.between(0, 9);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200);
});
