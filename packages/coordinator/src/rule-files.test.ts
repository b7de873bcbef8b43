import { expect, test } from "vitest";
import { emptyState } from "./core/index.ts";
import { RulesInForce } from "./rule-files.ts";

test("a load that throws leaves the rules behind, so that whoever leads loads them", async () => {
  let loads = 0;
  const rules = new RulesInForce({
    blobPath: (hash) => hash,
    hasBlob: async () => true,
    missing: () => undefined,
    files: () => {
      loads += 1;
      if (loads === 1) throw new Error("no memory");
    },
    running: () => undefined,
    suspects: new Map(),
  });
  const { graph } = emptyState();
  rules.prepare(graph);
  await rules.idle();
  expect(rules.isBehind(graph)).toBe(true);
  expect(await rules.bring(graph)).toEqual([]);
  expect(rules.isBehind(graph)).toBe(false);
  expect(loads).toBe(2);
});
