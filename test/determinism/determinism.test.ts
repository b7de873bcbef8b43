import { describe, expect, test } from "vitest";
import { compare } from "./harness.ts";

const orderly = { orderly: "orderly" };
const seeds = (count: number) => Array.from({ length: count }, (_, seed) => seed + 1);

describe("1,000 random histories", () => {
  test.each([0, 250, 500, 750])(
    "give equal logs straight, resumed, and in a fresh process in another order (from %d)",
    async (from) => {
      const { found, misfolded, report, records } = await compare(
        seeds(250).map((seed) => seed + from),
        orderly,
      );
      expect(found[0]).toBeUndefined();
      expect(misfolded, "folded from the log alone, their state is another").toEqual([]);
      expect(report.logs).toHaveLength(250);
      expect(records).toBeGreaterThan(2_000);
      expect(report).toMatchObject({ aheadOfUtc: 345, locale: "tr-TR" });
    },
  );
});

describe("a planted rule that is not deterministic is found and named", () => {
  test.each(["reads-the-clock", "iterates-a-set"])("%s", async (fixture) => {
    const { found } = await compare(seeds(5), { ...orderly, planted: fixture });
    expect(new Set(found.map(({ way }) => way))).toEqual(new Set(["resumed", "fresh process"]));
    expect(new Set(found.map(({ rule }) => rule))).toEqual(new Set([`planted/${fixture}`]));
  });

  test("and without them the same histories show no difference", async () => {
    expect((await compare(seeds(5), orderly)).found).toEqual([]);
  });
});
