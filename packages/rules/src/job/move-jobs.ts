import { type DataOf, type EventEnvelope, events, type Firing } from "@halon/protocol";
import { type CompiledRule, newestChart, type RuleIndex } from "../compiled.ts";
import { FiringDraft, failedFiring } from "../firing.ts";
import type { RuleHost } from "../host.ts";
import { jobsPrefix, readJob } from "./job.ts";
import type { StatechartRule } from "./statechart.ts";
import { JobTurn } from "./turn.ts";

/** Jobs that one record asks at most. */
const movedMax = 500;

/**
 * Asks the jobs of earlier versions of a file whether they go on in the newest.
 *
 * What `migrate` of a rule throws is told, and leaves the job where it is.
 */
export function moveJobs(
  index: RuleIndex,
  event: EventEnvelope,
  host: RuleHost,
  take: (firing: Firing | null) => void,
): void {
  const { file, blob, after = "" } = event.data as DataOf<typeof events.JobsMoveDue>;
  const old = [...index.charts.keys()].filter((rule) => rule.startsWith(`${file}/`)).sort();
  const jobs = old.flatMap((rule) => {
    const newest = newestChart(index, rule);
    if (newest?.version !== blob || newest.rule.migrate === undefined) return [];
    return host.memoryKeys(file, jobsPrefix(rule)).map((place) => ({ place, newest }));
  });
  const left = jobs
    .filter(({ place }) => place > after)
    .sort((a, b) => (a.place < b.place ? -1 : 1));
  for (const { place, newest } of left.slice(0, movedMax)) {
    host.running(newest.code);
    take(moved(index, event, host, newest, place.slice(jobsPrefix(newest.id).length)));
    host.running(null);
  }
  const last = left[movedMax - 1];
  if (last === undefined || left.length <= movedMax) return;
  const draft = new FiringDraft(last.newest, host, index, { why: `${movedMax} jobs were asked` });
  draft.arm("@move", 0, events.JobsMoveDue, { file, blob, after: last.place });
  take(draft.finish([]));
}

function moved(
  index: RuleIndex,
  event: EventEnvelope,
  host: RuleHost,
  newest: CompiledRule<StatechartRule>,
  key: string,
): Firing | null {
  const job = readJob(host, newest.id, key);
  const { migrate } = newest.rule;
  if (job === undefined || migrate === undefined || job.version === newest.version) return null;
  const { transaction } = host;
  const savepoint = transaction.savepoint();
  const draft = new FiringDraft(newest, host, index, { why: "", job: key });
  try {
    const { value, context } = job.snapshot as never;
    const place = migrate({ key, version: job.version, state: value, context });
    if (place === null) return null;
    const turn = new JobTurn(newest, key, job, draft, host, event);
    turn.move(place);
    turn.close();
    const firing = draft.finish(transaction.changesSince(savepoint));
    host.admit(newest.file, firing);
    return firing;
  } catch (error) {
    transaction.rollbackTo(savepoint);
    return failedFiring(newest, event, host, error);
  }
}
