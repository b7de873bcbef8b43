import { type DataOf, type EventEnvelope, events, type Firing, type Json } from "@halon/protocol";
import { type CompiledRule, type JobsConcern, newestChart, type RuleIndex } from "../compiled.ts";
import { FiringDraft, failedFiring } from "../firing.ts";
import type { RuleHost } from "../host.ts";
import { plain, reasonOf } from "../plain.ts";
import { deferring, fileOf, type Job, readJob } from "./job.ts";
import { moveJobs } from "./move-jobs.ts";
import type { Happened, Key, StatechartRule } from "./statechart.ts";
import { endJob, JobTurn, type Requester, retryLater } from "./turn.ts";

type Chart = CompiledRule<StatechartRule>;

/** What the engine runs with: one event at one place of the log. */
interface Run {
  readonly index: RuleIndex;
  readonly event: EventEnvelope;
  readonly host: RuleHost;
  /** Takes over a firing before the next one is made. */
  readonly take: (firing: Firing | null) => void;
}

/** Characters of a key: a longer one is refused, as keys are kept. */
const keyCharsMax = 512;

/**
 * Gives an event to the jobs that it is for, and begins those that it begins.
 *
 * A job whose machine or effect throws is undone, and ends as failed: the state it is in no longer says what was done.
 */
export function runJobs(
  index: RuleIndex,
  { compiled, heard }: JobsConcern,
  event: EventEnvelope,
  host: RuleHost,
  take: Run["take"],
): void {
  const run = { index, event, host, take };
  let keys: readonly string[];
  try {
    keys = keysOf(heard.keys(event.data as never, compiled.id));
  } catch (error) {
    take(failedFiring(compiled, event, host, error));
    return;
  }
  const happened = happenedAs(run, event.type, event.data);
  const begins = !compiled.isKept && compiled.rule.starts.has(event.type);
  for (const key of keys) {
    if (begins) request(run, compiled, key, happened, { event: event.id, source: event.source });
    else hear(run, compiled, key, happened);
  }
}

const jobEvents: ReadonlySet<string> = new Set([
  events.JobRequested.type,
  events.JobCancelRequested.type,
  events.JobTimerDue.type,
  events.JobsMoveDue.type,
]);

/** Whether `runJobEvent` has anything to do with it: asked of each event. */
export function isJobEvent({ type }: EventEnvelope): boolean {
  return jobEvents.has(type);
}

/** Carries out what is asked of one job by the log itself; why it could not, null when it could or when it is no such event. */
export function runJobEvent(
  index: RuleIndex,
  event: EventEnvelope,
  host: RuleHost,
  take: Run["take"],
): string | null {
  const run = { index, event, host, take };
  switch (event.type) {
    case events.JobRequested.type:
      return requested(run, event.data as DataOf<typeof events.JobRequested>);
    case events.JobCancelRequested.type:
      return cancelled(run, event.data as DataOf<typeof events.JobCancelRequested>);
    case events.JobTimerDue.type:
      return timerDue(run, event.data as DataOf<typeof events.JobTimerDue>);
    case events.JobsMoveDue.type:
      moveJobs(index, event, host, take);
      return null;
    default:
      return null;
  }
}

function requested(run: Run, { rule, data, from }: DataOf<typeof events.JobRequested>) {
  const { index, event, host, take } = run;
  const compiled = newestChart(index, rule);
  const { requests } = compiled?.rule ?? {};
  if (compiled === undefined) return `there is no statechart rule ${rule} in force`;
  if (requests === undefined) return `the rule ${rule} takes no requests`;
  const requester = { event: event.id, source: event.source, ...from };
  host.running(compiled.code);
  try {
    const request_ = requests.schema.parse(data);
    const [key] = keysOf(requests.by(request_ as never));
    if (key === undefined) throw new RangeError("the request has no key");
    request(run, compiled, key, happenedAs(run, "request", plain(request_)), requester);
  } catch (error) {
    const reason = `the request is refused: ${reasonOf(error)}`.slice(0, 4_000);
    const draft = new FiringDraft(compiled, host, index, { why: reason });
    const requests_ = [requester];
    draft.publish(events.JobEnded, {
      ...{ rule, key: "", outcome: "failed", since: host.now, reason, requests: requests_ },
    });
    take(draft.finish([]));
  } finally {
    host.running(null);
  }
  return null;
}

/** Begins the job, or joins the one that runs. */
function request(
  run: Run,
  compiled: Chart,
  key: string,
  happened: Happened<string, Json>,
  requester: Requester,
): void {
  const job = readJob(run.host, compiled.id, key);
  if (job === undefined) {
    move(run, compiled, key, null, [requester], (turn) => turn.begin(happened, requester));
    return;
  }
  const same = job.version === compiled.version;
  move(run, compiled, key, job, [], (turn) => {
    turn.join(requester);
    turn.draft.why(`${happened.type} joins the job "${key}"`);
    if (same && happened.type !== "request" && job.waits.includes(happened.type))
      turn.hear(happened);
    return true;
  });
}

/** Gives an event to a job that waits for it, or puts it off for one that will. */
function hear(run: Run, compiled: Chart, key: string, happened: Happened<string, Json>): void {
  const job = readJob(run.host, compiled.id, key);
  if (job === undefined || job.version !== compiled.version) return;
  const { type } = happened;
  if (job.waits.includes(type)) move(run, compiled, key, job, [], (turn) => turn.hear(happened));
  else if (job.defers.includes(type)) {
    move(run, compiled, key, job, [], (turn) => {
      turn.job = deferring(job, happened);
      const lost = turn.job.deferred.length === job.deferred.length;
      turn.draft.why(
        `the job "${key}" puts off ${type}${lost ? `; the oldest of ${job.deferred.length} is lost` : ""}`,
      );
      return true;
    });
  }
}

function cancelled(run: Run, { rule, key, reason }: DataOf<typeof events.JobCancelRequested>) {
  const job = readJob(run.host, rule, key);
  if (job === undefined) return `there is no job "${key}" of ${rule}`;
  const compiled = chartOf(run.index, rule, job);
  if (compiled === undefined || !job.waits.includes("cancel")) {
    run.take(endedBy(run, rule, key, job, { outcome: "cancelled", reason }));
    return null;
  }
  guarded(run, compiled, () =>
    move(run, compiled, key, job, [], (turn) => {
      turn.job = { ...job, cancelled: reason };
      turn.draft.why(`the job "${key}" is to end: ${reason}`);
      turn.hear(happenedAs(run, "cancel", { reason }));
      return true;
    }),
  );
  return null;
}

function timerDue(run: Run, { rule, key, timer, event }: DataOf<typeof events.JobTimerDue>) {
  const job = readJob(run.host, rule, key);
  if (job === undefined) return null;
  if (event === undefined) {
    const ms = run.host.now - job.since;
    const reason = `it had not ended after ${ms} ms`;
    run.take(endedBy(run, rule, key, job, { outcome: "timedOut", reason }));
    return null;
  }
  if (!job.armed.includes(timer)) return null;
  const compiled = chartOf(run.index, rule, job);
  if (compiled === undefined) {
    run.take(retryLater(run, rule, { key, timer, event }));
    return null;
  }
  guarded(run, compiled, () =>
    move(run, compiled, key, job, [], (turn) => {
      turn.job = { ...job, armed: job.armed.filter((each) => each !== timer) };
      turn.hear(event as { readonly type: string });
      return true;
    }),
  );
  return null;
}

/** One turn of one job: all that `act` does is one firing; false: there was nothing to do. */
function move(
  run: Run,
  compiled: Chart,
  key: string,
  job: Job | null,
  requests: readonly Requester[],
  act: (turn: JobTurn) => boolean,
): void {
  const { host, index, event } = run;
  const { transaction } = host;
  const savepoint = transaction.savepoint();
  const draft = new FiringDraft(compiled, host, index, { why: `on ${event.type}`, job: key });
  try {
    const turn = new JobTurn(compiled, key, job, draft, host, event);
    if (!act(turn)) return;
    turn.close();
    const firing = draft.finish(transaction.changesSince(savepoint));
    host.admit(compiled.file, firing);
    run.take(firing);
  } catch (error) {
    transaction.rollbackTo(savepoint);
    run.take(failedFiring(compiled, event, host, error));
    const reason = reasonOf(error).slice(0, 4_000);
    const failed = { outcome: "failed", reason } as const;
    run.take(endedBy(run, compiled.id, key, job, failed, requests));
  }
}

/** The firing that ends a job without its machine; a job that never began is ended for those who asked for it. */
function endedBy(
  { host, index }: Run,
  rule: string,
  key: string,
  job: Job | null,
  end: { readonly outcome: "failed" | "cancelled" | "timedOut"; readonly reason: string },
  requests: readonly Requester[] = [],
): Firing {
  const savepoint = host.transaction.savepoint();
  const why = `the job "${key}" ${end.outcome}: ${end.reason}`;
  const draft = new FiringDraft({ id: rule, file: fileOf(rule) }, host, index, { why, job: key });
  if (job === null) {
    draft.publish(events.JobEnded, { rule, key, ...end, since: host.now, requests });
  } else endJob(draft, host, rule, key, job, end);
  return draft.finish(host.transaction.changesSince(savepoint));
}

/** The statechart in the version of the job. */
function chartOf({ charts }: RuleIndex, rule: string, job: Job): Chart | undefined {
  return charts.get(rule)?.find(({ version }) => version === job.version);
}

function guarded({ host }: Run, { code }: Chart, act: () => void): void {
  host.running(code);
  act();
  host.running(null);
}

function happenedAs({ event, host }: Run, type: string, data: Json): Happened<string, Json> {
  return { type, data, id: event.id, source: event.source, at: host.now };
}

function keysOf(given: Key | readonly Key[]): readonly string[] {
  const keys = (Array.isArray(given) ? given : [given]) as readonly Key[];
  return [...new Set(keys.flatMap((key) => (key === null ? [] : [keyText(key)])))];
}

function keyText(key: unknown): string {
  const text = typeof key === "number" ? String(key) : key;
  if (typeof text !== "string")
    throw new TypeError(`the key of a job is ${typeof text}, not a text or number`);
  if (text.length <= keyCharsMax) return text;
  throw new RangeError(`the key of a job has ${text.length} characters, at most ${keyCharsMax}`);
}
