import { describe, expect, test } from "vitest";
import { compileCluster } from "./compile-cluster.ts";
import { libraryNames } from "./library.ts";

async function rulesOf(...rules: readonly unknown[]) {
  const { spec } = await compileCluster({ rules }, "/nowhere", {
    prune: false,
    name: "cluster.ts",
  });
  return spec.rules;
}

describe("the library of rules", () => {
  test.each(libraryNames())(
    "%s compiles with its defaults, in the realm of rule files",
    async (name) => {
      const [file] = await rulesOf(name);
      expect(file?.name).toBe(name.slice("halon:".length));
      expect(file?.rules.length).toBeGreaterThan(0);
    },
  );

  test("takes options like any rule file", async () => {
    const [file] = await rulesOf({ file: "halon:rebalance", options: { difference: 5 } });
    expect(file?.options).toMatchObject({ difference: 5, every: "1m" });
  });

  test("refuses options that the file does not have", async () => {
    await expect(rulesOf({ file: "halon:rebalance", options: { speed: 9 } })).rejects.toMatchObject(
      { message: expect.stringContaining("difference") },
    );
  });

  test("names what there is when a name is unknown", async () => {
    await expect(rulesOf("halon:rolling")).rejects.toMatchObject({
      code: "HAL_CONFIG_INVALID",
      message: expect.stringMatching(
        /^cluster\.ts: rules\[0\]: the library has no rules "halon:rolling"\. It has .*halon:rolling-restart/,
      ),
    });
  });
});
