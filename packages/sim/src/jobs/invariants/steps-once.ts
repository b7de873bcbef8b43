import type { ClusterInvariant } from "../../cluster/invariants/cluster-invariant.ts";
import { violated } from "../../invariants/invariant.ts";
import { stepsOfAJob } from "../job-rules.ts";
import { newsOf } from "./job-records.ts";

/** J2: the effect of each step of a job is there once, in order, and all of them before its end. */
export function stepsOnce(): ClusterInvariant {
  const last = new Map<string, number>();
  return {
    id: "J2",
    name: "each step has its effect once",
    beforeRecord(_scene, record) {
      for (const news of newsOf(record)) {
        if (news.type === "remembered") continue;
        const { job } = news;
        const before = last.get(job) ?? 0;
        if (news.type === "ended") {
          if (before !== stepsOfAJob)
            violated("J2", `${job} ends in record ${record.index} after step ${before}`);
          continue;
        }
        if (news.step !== before + 1)
          violated(
            "J2",
            `record ${record.index} has step ${news.step} of ${job} after step ${before}`,
          );
        last.set(job, news.step);
      }
    },
  };
}
