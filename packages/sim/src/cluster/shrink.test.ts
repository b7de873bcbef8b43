import { step as raftStep } from "@halon/raft";
import { expect, test } from "vitest";
import { planOf } from "../plan.ts";
import type { StepFunction } from "../process.ts";
import { run } from "../run.ts";
import { shrink } from "../shrink.ts";
import type { World } from "../world.ts";
import { clusterPlanOf } from "./plan.ts";
import { milderClusters } from "./smaller.ts";

/** `halond` does not find what runs when it comes back. */
function forgetful({ cluster }: World): void {
  if (cluster !== null) cluster.services.adopt = () => [];
}

/** Keepers do not look at their leases. */
function carelessKeepers({ cluster }: World): void {
  if (cluster !== null) cluster.services.renew = (slot, instance) => never(cluster, slot, instance);
}

function never({ services }: NonNullable<World["cluster"]>, slot: number, instance: string): void {
  for (const process of services.processes.values())
    if (process.slot === slot && process.instance === instance)
      process.untilMs = Number.POSITIVE_INFINITY;
}

const seedsMax = 20;

/** The first seed whose run breaks a rule with this bug planted. */
function firstBroken(plant: (world: World) => void) {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const scenario = clusterPlanOf(seed, { tracking: 3, satellites: 2, seconds: 40 });
    const { violation } = run(scenario, { plant });
    if (violation !== null) return { scenario, invariant: violation.invariant };
  }
  return null;
}

test.each([
  ["processes that are not taken over", forgetful, "C4"],
  ["keepers that do not keep", carelessKeepers, "C5"],
] as const)("finds %s", { timeout: 120_000 }, (_name, plant, rule) => {
  expect(firstBroken(plant)?.invariant).toBe(rule);
});

test("a smaller scenario of a cluster breaks the same rule", { timeout: 120_000 }, () => {
  const found = firstBroken(forgetful);
  if (found === null) throw new Error("the planted bug was not found");
  const { scenario, invariant } = found;
  const small = shrink(scenario, invariant, { plant: forgetful, runsMax: 60 });
  expect(run(small.scenario, { plant: forgetful }).violation?.invariant).toBe(invariant);
  expect(small.scenario.faults.length).toBeLessThan(8);
  expect(small.scenario.settings.cluster?.services.length).toBeLessThan(4);
});

test("what takes a long log is left with one burst of writes", { timeout: 120_000 }, () => {
  const step: StepFunction = (state, input) => {
    if (state.log.lastIndex > 100) throw new Error("the log is long");
    return raftStep(state, input);
  };
  const scenario = planOf(1, { members: 5, seconds: 20, machine: "registers" });
  const { invariant } = run(scenario, { step }).violation ?? {};
  expect(invariant).toBe("I19");
  const small = shrink(scenario, "I19", { step, runsMax: 150 }).scenario;
  expect(run(small, { step }).violation?.invariant).toBe("I19");
  expect(small.faults).toEqual([]);
  expect(small.requests.map(({ type }) => type)).toEqual(["burst"]);
});

test("a smaller beginning has a master, and names nobody who is not there", () => {
  let looked = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const options = { tracking: 3, satellites: 3, seconds: 10 };
    const { settings } = clusterPlanOf(seed, options);
    for (const milder of milderClusters.flatMap((ofOneKind) => ofOneKind(settings))) {
      const { satellites = 3, bootstrap } = milder.cluster ?? {};
      if (bootstrap === undefined) continue;
      looked += 1;
      const nodes = (milder.members ?? 3) + satellites;
      const join = bootstrap.join.slice(0, nodes);
      const isListed = join.every((joined) => joined.length > 1);
      expect(join.flat().every((slot) => slot < nodes)).toBe(true);
      expect(isListed || join.filter((joined) => joined.length === 0).length === 1).toBe(true);
    }
  }
  expect(looked).toBeGreaterThan(10);
});
