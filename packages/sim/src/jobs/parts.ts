import { clusterInvariants } from "../cluster/invariants/all.ts";
import type { ClusterObserver } from "../cluster/invariants/cluster-invariant.ts";
import { equalFolds } from "../cluster/invariants/equal-folds.ts";
import { ClusterRuleSet } from "../cluster/invariants/rules.ts";
import type { ClusterParts } from "../cluster/start.ts";
import type { JobSettings } from "../scenario.ts";
import { allEnd } from "./invariants/all-end.ts";
import { endsOnce } from "./invariants/ends-once.ts";
import { latestByOutage, neverEarly } from "./invariants/in-time.ts";
import { stepsOnce } from "./invariants/steps-once.ts";
import { jobCounting } from "./job-counting.ts";
import { JobOperators } from "./job-operators.ts";
import { jobFile, jobRules } from "./job-rules.ts";
import { LedTime } from "./led-time.ts";

/** States of a thousand jobs are large, and are compared less often. */
const comparedRecords = 256;

/** What the cluster of a run of jobs has: the rules of all clusters, those of jobs, who begins jobs, and their rule file. */
export function jobParts(
  seed: number,
  jobs: JobSettings,
  observers: readonly ClusterObserver[],
): ClusterParts {
  const led = new LedTime();
  const own = [
    ...[endsOnce(), stepsOnce(), neverEarly(led), latestByOutage(led), allEnd(jobs)],
    equalFolds(comparedRecords),
  ];
  const others = clusterInvariants().filter(({ id }) => id !== "C9");
  const rules = new ClusterRuleSet(
    [...own, ...others],
    [jobCounting(), ...observers, { saw: ({ world }, what) => led.saw(world, what) }],
  );
  return {
    rules,
    operators: new JobOperators(seed, jobs, led),
    ruleFiles: [{ name: jobFile, rules: jobRules }],
  };
}
