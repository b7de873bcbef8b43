import { type DataOf, type Decision, type DecisionRecord, events } from "@halon/protocol";
import { JobStepped, jobRule } from "../job-rules.ts";

/** What a decision says of jobs. */
export type JobNews =
  | { readonly type: "stepped"; readonly job: string; readonly step: number }
  | { readonly type: "ended"; readonly job: string; readonly end: DataOf<typeof events.JobEnded> }
  /** Something of the job is remembered: it goes on. */
  | { readonly type: "remembered"; readonly job: string };

const jobPrefix = `@job/${jobRule.slice(jobRule.indexOf("/") + 1)}/`;

/** What a record says of jobs, in its order. */
export function newsOf({ decisions }: DecisionRecord): readonly JobNews[] {
  return decisions.flatMap((decision) => [...eventNews(decision), ...memoryNews(decision)]);
}

function eventNews({ event }: Decision): readonly JobNews[] {
  if (event.type === JobStepped.type)
    return [{ type: "stepped", ...(event.data as DataOf<typeof JobStepped>) }];
  if (event.type !== events.JobEnded.type) return [];
  const end = event.data as DataOf<typeof events.JobEnded>;
  return end.rule === jobRule ? [{ type: "ended", job: end.key, end }] : [];
}

function memoryNews({ firings }: Decision): readonly JobNews[] {
  return firings.flatMap(({ rule, memory }) =>
    memory.flatMap(({ key, value }): JobNews[] => {
      if (rule !== jobRule || value === null || !key.startsWith(jobPrefix)) return [];
      return [{ type: "remembered", job: key.slice(jobPrefix.length) }];
    }),
  );
}
