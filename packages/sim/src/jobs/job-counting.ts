import type { ClusterObserver } from "../cluster/invariants/cluster-invariant.ts";
import { newsOf } from "./invariants/job-records.ts";
import { stepsOfAJob } from "./job-rules.ts";

/** Counts takeovers amid jobs: some are in each of the states. */
export function jobCounting(): ClusterObserver {
  const steps = new Map<string, number>();
  return {
    beforeRecord(_scene, record) {
      for (const news of newsOf(record))
        if (news.type === "stepped") steps.set(news.job, news.step);
        else if (news.type === "ended") steps.delete(news.job);
    },
    saw({ world }, { type }) {
      if (type === "leading" && new Set(steps.values()).size === stepsOfAJob)
        world.counters.takeoverAmidJobs += 1;
    },
  };
}
