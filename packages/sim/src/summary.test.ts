import { expect, test } from "vitest";
import { type Counters, noCounts } from "./counters.ts";
import type { Outcome, Violation } from "./run.ts";
import { hasFailed, Tally } from "./summary.ts";

const everything: Counters = {
  ...noCounts,
  leaderCrashWithUncommittedTail: 1,
  snapshotInstalled: 1,
  snapshotInstallInterrupted: 1,
  changeUnderPartition: 1,
  tornTail: 1,
  truncationOfTen: 1,
  diskFull: 1,
  corruptRecord: 1,
  preVoteRejection: 1,
  voteSplit: 1,
};

function outcome(counters: Counters, violation: Violation | null = null): Outcome {
  return {
    events: 10,
    simulatedUs: 1,
    hash: "h",
    counters,
    operations: 0,
    transcript: [],
    violation,
  };
}

function tallyOf(seeds: number, rare: number): Tally {
  const tally = new Tally();
  for (let seed = 0; seed < seeds; seed++)
    tally.add({
      seed,
      outcome: outcome(seed < rare ? everything : { ...everything, tornTail: 0 }),
      secondHash: null,
    });
  return tally;
}

test.each([
  { seeds: 1_000, rare: 10, missing: [] },
  { seeds: 1_000, rare: 9, missing: ["tornTail"] },
  { seeds: 999, rare: 0, missing: [] },
])("$rare of $seeds seeds with a rare state: missing $missing", ({ seeds, rare, missing }) => {
  const summary = tallyOf(seeds, rare).summary(1);
  expect([summary.missing, hasFailed(summary)]).toEqual([missing, missing.length > 0]);
});

test("states of hosts are judged when hosts took part", () => {
  const tally = new Tally();
  const hosts = { ...everything, hostAppends: 1, hostAppendUnknown: 1, hostStateInstalled: 1 };
  for (let seed = 0; seed < 1_000; seed++)
    tally.add({ seed, outcome: outcome(hosts), secondHash: null });
  expect(tally.summary(1).missing).toEqual(["hostSnapshotWhileSaving", "leaderCampaigns"]);
});

test("a seed that differs from an earlier sweep, or is not in it, is named", () => {
  const tally = new Tally(
    new Map([
      [1, "h"],
      [2, "other"],
    ]),
  );
  for (const seed of [1, 2, 3]) tally.add({ seed, outcome: outcome(everything), secondHash: null });
  const summary = tally.summary(1);
  expect([summary.different, hasFailed(summary)]).toEqual([[2, 3], true]);
});

test("a seed whose second run differs is named", () => {
  const tally = new Tally();
  tally.add({ seed: 3, outcome: outcome(everything), secondHash: "other" });
  expect(tally.summary(1).different).toEqual([3]);
  expect(hasFailed(tally.summary(1))).toBe(true);
});

test("of several violations that of the lowest seed is told", () => {
  const tally = new Tally();
  for (const seed of [8, 3, 5]) {
    const violation = {
      invariant: "I1" as const,
      message: "",
      seed,
      step: 1,
      timeUs: 1,
      transcript: [],
    };
    tally.add({
      seed,
      outcome: outcome(everything, violation),
      secondHash: null,
    });
  }
  expect(tally.summary(1)).toMatchObject({ violations: 3, violation: { seed: 3 } });
});
