import { DecisionCore } from "@halon/coordinator/core";
import { events } from "@halon/protocol";
import { defineRules, on, type Rules } from "@halon/rules";
import { expect, test } from "vitest";
import { run } from "../run.ts";
import type { World } from "../world.ts";
import { jobPlanOf } from "./job-plan.ts";
import { jobFile, jobRules } from "./job-rules.ts";

const slow = { timeout: 240_000 };
const planOf = (seed: number) => jobPlanOf(seed, { tracking: 3, jobs: 40, seconds: 12 });

test("all jobs end once, in time, whatever becomes of coordinators", slow, () => {
  let takeovers = 0;
  for (let seed = 1; seed <= 5; seed++) {
    const { violation, counters } = run(planOf(seed));
    expect([seed, violation?.message, counters.jobsEnded]).toEqual([seed, undefined, 40]);
    takeovers += counters.takeoverAmidJobs;
  }
  expect(takeovers).toBeGreaterThan(0);
});

test("equal scenarios of jobs give equal runs", slow, () => {
  expect(run(planOf(3)).hash).toBe(run(planOf(3)).hash);
});

const seedsMax = 10;

/** The rule that the first broken run of a few seeds breaks, with what is said of it; null when none does. */
function broken(plant?: (world: World) => void): string | null {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const { violation } = run(planOf(seed), plant === undefined ? {} : { plant });
    if (violation !== null) return `${violation.invariant} ${violation.message}`;
  }
  return null;
}

/** The same while this method of the decision loop is another one. */
function brokenBy<K extends "begin" | "decide">(
  name: K,
  wrong: (own: DecisionCore[K]) => DecisionCore[K],
): string | null {
  const own = DecisionCore.prototype[name];
  DecisionCore.prototype[name] = wrong(own);
  try {
    return broken();
  } finally {
    DecisionCore.prototype[name] = own;
  }
}

test("finds a successor that has lost the timers", slow, () => {
  const losing = (own: DecisionCore["begin"]): DecisionCore["begin"] =>
    function begin(this: DecisionCore, ...given) {
      for (const { key } of this.state.timers.toJSON())
        if (key.startsWith(`${jobFile}/`)) this.state.timers.disarm(key);
      return own.apply(this, given);
    };
  expect(brokenBy("begin", losing)).toMatch(/J5: .* jobs go on/);
});

test("finds timers that are early, by a clock that runs too fast", slow, () => {
  const fast = (own: DecisionCore["decide"]): DecisionCore["decide"] =>
    function decide(this: DecisionCore, now, wallTime) {
      return own.call(this, now * 1.1, wallTime);
    };
  expect(brokenBy("decide", fast)).toMatch(/^J3 .* fired after/);
});

test("finds a job that is ended twice", slow, () => {
  expect(broken(withRules(endsAgain))).toMatch(/^J1 .* ends job-\d+ again/);
});

test("finds an effect that is there twice", slow, () => {
  expect(broken(withRules(stepsAgain))).toMatch(/^J2 .* has step 1 of job-\d+ after step 1/);
});

function withRules(rules: Readonly<Record<string, Rules["rules"][string]>>) {
  return ({ cluster }: World): void => {
    const wrong = defineRules({ ...jobRules.rules, ...rules }, { events: jobRules.events });
    cluster?.ruleFiles.splice(0, 1, { name: jobFile, rules: wrong });
  };
}

const endsAgain = {
  again: on(events.JobEnded)
    .where(({ envelope }) => !envelope.source.endsWith("/again"))
    .do(({ event, publish }) => publish(events.JobEnded, event)),
};

const [stepped] = jobRules.events.filter(({ type }) => type === "SimJobStepped");
if (stepped === undefined) throw new Error("the rule file of jobs declares its effect");
const stepsAgain = {
  again: on(stepped)
    .where(({ envelope }) => !envelope.source.endsWith("/again"))
    .do(({ event, publish }) => publish(stepped, event)),
};
