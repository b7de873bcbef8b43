import type { ClusterInvariant } from "../../cluster/invariants/cluster-invariant.ts";
import { violated } from "../../invariants/invariant.ts";
import { newsOf } from "./job-records.ts";

/** J1: each job ends once, as done, and nothing of it is remembered after that. */
export function endsOnce(): ClusterInvariant {
  const ended = new Set<string>();
  return {
    id: "J1",
    name: "each job ends once",
    beforeRecord({ world }, record) {
      for (const news of newsOf(record)) {
        const { type, job } = news;
        if (type === "remembered" && ended.has(job))
          violated("J1", `record ${record.index} goes on with ${job}, which has ended`);
        if (type !== "ended") continue;
        if (ended.has(job)) violated("J1", `record ${record.index} ends ${job} again`);
        ended.add(job);
        world.counters.jobsEnded += 1;
        const { outcome, reason } = news.end;
        if (outcome !== "done") violated("J1", `${job} ended as ${outcome}: ${reason ?? ""}`);
      }
    },
  };
}
