import { expect, test } from "vitest";
import { noCounts } from "./counters.ts";
import { planOf } from "./plan.ts";
import { run } from "./run.ts";
import type { Scenario } from "./scenario.ts";

const hosts = { gapUs: 5_000, snapshotSlots: 5, dataBytes: 100, keepBytes: 0 };
const plan = { members: 3, seconds: 6, machine: "agency" } as const;

function withHosts(seed: number): Scenario {
  const planned = planOf(seed, plan);
  return { ...planned, settings: { ...planned.settings, hosts } };
}

test("hosts append, and no rule breaks", { timeout: 60_000 }, () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { counters, violation } = run(withHosts(seed));
    expect(violation).toBeNull();
    expect(counters.hostAppends).toBeGreaterThan(0);
  }
});

test("a host that crashes again and again is fenced, and the next one appends", {
  timeout: 60_000,
}, () => {
  const calm = withHosts(2);
  const faults: Scenario["faults"] = [2, 3, 4, 5].map((second) => ({
    at: second * 1_000_000,
    type: "hostCrash",
    target: { role: "leader", pick: 0 },
  }));
  const { counters, violation } = run({ ...calm, faults });
  expect(violation).toBeNull();
  expect(counters.leaderCampaigns).toBeGreaterThan(0);
});

test("a host is told that its member leads, and none that does not ask", {
  timeout: 60_000,
}, () => {
  const silent = withHosts(2);
  expect(run(silent).counters.leadConfirmed).toBe(0);
  const settings = { ...silent.settings, hosts: { ...hosts, questions: 300 } };
  const { counters, violation } = run({ ...silent, settings });
  expect(violation).toBeNull();
  expect(counters.leadConfirmed).toBeGreaterThan(0);
});

test("a host that asks is told after the healing that its member leads", {
  timeout: 60_000,
}, () => {
  const silent = withHosts(2);
  // So seldom that only the audit's own question is likely to come.
  const settings = { ...silent.settings, faultsUs: 1, hosts: { ...hosts, questions: 1 } };
  const { counters, violation } = run({ ...silent, faults: [], requests: [], settings });
  expect(violation).toBeNull();
  expect(counters.leadConfirmed).toBeGreaterThan(0);
});

test("hosts are drawn for about half of the seeds of the agency, and for no others", () => {
  const drawn = (machine: "agency" | "registers"): number =>
    Array.from({ length: 200 }, (_, seed) => planOf(seed, { ...plan, machine })).filter(
      ({ settings }) => settings.hosts !== undefined,
    ).length;
  expect(drawn("agency")).toBeGreaterThan(70);
  expect(drawn("agency")).toBeLessThan(130);
  expect(drawn("registers")).toBe(0);
});

test("three quarters of the hosts that are drawn ask for proofs of leadership", () => {
  const hosts = Array.from({ length: 400 }, (_, seed) => planOf(seed, plan).settings.hosts);
  const drawn = hosts.flatMap((each) => each?.questions ?? []);
  const share = drawn.filter((questions) => questions > 0).length / drawn.length;
  expect(share).toBeGreaterThan(0.65);
  expect(share).toBeLessThan(0.85);
});

test("without hosts nothing of them is counted", () => {
  const { settings, ...scenario } = withHosts(3);
  const { hosts: _, ...rest } = settings;
  const { counters } = run({ ...scenario, settings: rest });
  expect(counters.hostAppends).toBe(noCounts.hostAppends);
});
