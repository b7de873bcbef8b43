import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { planOf } from "./plan.ts";
import { run } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { formatScenario, parseScenario } from "./scenario-file.ts";

const seedsPerTest = 25;

describe("no rule breaks", () => {
  const machines = ["registers", "agency"] as const;
  const cases = machines.flatMap((machine) =>
    [0, 1, 2, 3].map((part) => ({ machine, from: part * seedsPerTest + 1 })),
  );
  test.each(cases)(
    "$machine, $from and the 24 seeds after it",
    { timeout: 120_000 },
    ({ machine, from }) => {
      const broken: unknown[] = [];
      for (let seed = from; seed < from + seedsPerTest; seed++) {
        const { violation } = run(planOf(seed, { members: 5, seconds: 8, machine }));
        if (violation !== null) broken.push(violation);
      }
      expect(broken).toEqual([]);
    },
  );

  test.each([1, 3, 7])("in a cluster of %i", { timeout: 120_000 }, (members) => {
    const options = { members, seconds: 5, machine: null };
    const broken: unknown[] = [];
    for (let seed = 1; seed <= 5; seed++) broken.push(run(planOf(seed, options)).violation);
    expect(broken.filter((violation) => violation !== null)).toEqual([]);
  });
});

test("a seed gives the same run again, event by event", { timeout: 60_000 }, () => {
  for (let seed = 1; seed <= 12; seed++) {
    const scenario = planOf(seed, { members: 5, seconds: 4, machine: null });
    const first = run(scenario);
    const second = run(planOf(seed, { members: 5, seconds: 4, machine: null }));
    expect([second.hash, second.events]).toEqual([first.hash, first.events]);
  }
});

test("another seed gives another run", () => {
  const hashes = [1, 2, 3].map(
    (seed) => run(planOf(seed, { members: 3, seconds: 2, machine: "registers" })).hash,
  );
  expect(new Set(hashes).size).toBe(3);
});

test("a run ends after so many events when it is told to", () => {
  const scenario = planOf(1, { members: 3, seconds: 5, machine: "registers" });
  expect(run(scenario, { stepsMax: 500 }).events).toBe(500);
});

test("without faults nothing is unknown, and one election is enough", () => {
  const planned = planOf(2, { members: 5, seconds: 10, machine: "registers" });
  const calm: Scenario = {
    ...planned,
    faults: [],
    settings: {
      ...planned.settings,
      ordered: true,
      delayMinUs: 100,
      delayMaxUs: 500,
      diskMinUs: 100,
      diskMaxUs: 500,
      loss: 0,
      duplicate: 0,
      straggle: 0,
      corrupt: 0,
    },
  };
  const { counters, violation } = run(calm);
  expect(violation).toBeNull();
  expect(counters.unknown).toBe(0);
  expect(counters.elections).toBeLessThanOrEqual(2);
});

describe("saved scenarios", () => {
  const folder = new URL("../testdata/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  test.each(files)("%s", { timeout: 60_000 }, (name) => {
    const { breaks, scenario } = parseScenario(readFileSync(new URL(name, folder), "utf8"));
    expect(run(scenario).violation?.invariant ?? null).toBe(breaks);
  });

  test("a scenario is read back as it was written", () => {
    const scenario = planOf(7, { members: 5, seconds: 4, machine: null });
    const saved = { breaks: "I5", scenario } as const;
    expect(parseScenario(formatScenario(saved))).toEqual(saved);
  });

  test("another format is refused", () => {
    expect(() => parseScenario('{"breaks":null,"scenario":{"format":2}}')).toThrow("format 1");
  });
});
