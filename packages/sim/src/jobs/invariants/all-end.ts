import type { ClusterInvariant, Scene } from "../../cluster/invariants/cluster-invariant.ts";
import { violated } from "../../invariants/invariant.ts";
import type { JobSettings } from "../../scenario.ts";
import { jobFile, stepsOfAJob } from "../job-rules.ts";
import { newsOf } from "./job-records.ts";

/** J5: after the healing all jobs end, and leave nothing behind: no memory, no timer. */
export function allEnd({ count }: JobSettings): ClusterInvariant {
  const ended = new Set<string>();
  return {
    id: "J5",
    name: "all jobs end",
    beforeRecord(_scene, record) {
      for (const { type, job } of newsOf(record)) if (type === "ended") ended.add(job);
    },
    missing: () => (ended.size < count ? `${count - ended.size} of ${count} jobs go on` : null),
    atEnd: (scene) => leftBehind(scene, count),
  };
}

function leftBehind({ committed }: Scene, count: number): void {
  const memory = new Map(committed.memories.get(jobFile));
  const steps = memory.get("steps");
  if (steps !== count * stepsOfAJob)
    violated("J5", `${steps} steps are counted, ${count} jobs have ${count * stepsOfAJob}`);
  memory.delete("steps");
  const [key] = memory.keys();
  if (key !== undefined) violated("J5", `all jobs have ended, and ${key} is remembered`);
  const timer = committed.timers.toJSON().find((each) => each.key.startsWith(`${jobFile}/`));
  if (timer !== undefined) violated("J5", `all jobs have ended, and ${timer.key} is armed`);
}
