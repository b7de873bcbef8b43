import { describe, expect, test } from "vitest";
import { run } from "../run.ts";
import type { Fault, Scenario } from "../scenario.ts";
import { clusterPlanOf } from "./plan.ts";

const second = 1_000_000;
const seconds = 20;
const seeds = [1, 2, 3];

/** Three members and two satellites, two services of which one is exclusive, and these faults alone. */
function sceneOf(seed: number, faults: readonly Fault[]): Scenario {
  const planned = clusterPlanOf(seed, { tracking: 3, satellites: 2, seconds });
  const { cluster } = planned.settings;
  const [first] = cluster?.services ?? [];
  if (cluster === undefined || first === undefined) throw new Error("a plan has a service");
  const { serviceName: _, ...plain } = first;
  const shared = { ...plain, apart: [], after: [], prefer: [] };
  const web = {
    ...shared,
    kind: "worker",
    exclusive: false,
    placement: { type: "every" },
  } as const;
  const one = { type: "any", replicas: 1 } as const;
  const clock = { ...shared, kind: "process", exclusive: true, placement: one } as const;
  const services = [
    { ...web, name: "web" },
    { ...clock, name: "clock" },
  ];
  const deploy = { at: 3 * second, type: "deploy", services: [0, 1], prune: false } as const;
  return {
    ...planned,
    settings: { ...planned.settings, loss: 0, cluster: { ...cluster, services } },
    faults: [deploy, ...faults],
  };
}

const at = 10 * second;
const pick = 1;
const forUs = 3 * second;

test.each(seeds)("without faults all that is deployed runs: seed %i", (seed) => {
  const { violation, counters } = run(sceneOf(seed, []));
  expect(violation).toBeNull();
  expect(counters.elections).toBeLessThanOrEqual(2);
});

describe("what is wanted runs again after", () => {
  const cases: readonly { readonly name: string; readonly fault: Fault }[] = [
    {
      name: "the crash of a satellite",
      fault: { at, type: "crashNode", node: { role: "satellite", pick }, forUs },
    },
    {
      name: "the crash of the node that leads",
      fault: { at, type: "crashNode", node: { role: "leader", pick }, forUs },
    },
    {
      name: "the loss of a machine",
      fault: { at, type: "loseMachine", node: { role: "any", pick }, forUs },
    },
    {
      name: "the crash of the coordinator alone",
      fault: { at, type: "crashCoordinator", node: { role: "leader", pick } },
    },
    {
      name: "the crash of a service",
      fault: { at, type: "crashService", instance: { of: "any", pick }, code: 1 },
    },
    {
      name: "the crash of an exclusive service",
      fault: { at, type: "crashService", instance: { of: "exclusive", pick }, code: 1 },
    },
    {
      name: "a pause of the node that leads",
      fault: { at, type: "pauseNode", node: { role: "leader", pick }, forUs },
    },
    {
      name: "a cut between a node and all others",
      fault: { at, type: "cutNode", node: { role: "satellite", pick }, shape: "both", forUs },
    },
  ];
  test.each(cases)("$name", ({ fault }) => {
    for (const seed of seeds) {
      const { violation, counters } = run(sceneOf(seed, [fault]));
      expect([seed, violation]).toEqual([seed, null]);
      expect(counters.faults).toBeGreaterThan(0);
    }
  });
});

test("a coordinator that crashed is followed by one in a new epoch, at the same member", () => {
  const crash = { at, type: "crashCoordinator", node: { role: "leader", pick } } as const;
  const { counters } = run(sceneOf(1, [crash]));
  expect(counters.leaderCampaigns).toBeGreaterThan(0);
});

test("a seed gives the same run again, event by event", { timeout: 60_000 }, () => {
  for (const seed of [11, 12, 13]) {
    const options = { tracking: null, satellites: null, seconds: 15 };
    const [first, again] = [0, 1].map(() => run(clusterPlanOf(seed, options)));
    expect([again?.hash, again?.events]).toEqual([first?.hash, first?.events]);
  }
});
