import { expect, test } from "vitest";
import { run } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { clusterPlanOf } from "./plan.ts";

/** A cluster of a seed without faults, with the wishes of its operators. */
function calm(seed: number): Scenario {
  const planned = clusterPlanOf(seed, { tracking: 3, satellites: 2, seconds: 20 });
  return { ...planned, faults: planned.faults.filter(({ type }) => type === "deploy") };
}

test("without faults all that is deployed runs", { timeout: 60_000 }, () => {
  const { violation, events } = run(calm(1));
  expect(violation).toBeNull();
  expect(events).toBeGreaterThan(0);
});
