import {
  builtInEvents,
  type Contribution,
  type EventEnvelope,
  type Firing,
  type Json,
} from "@halon/protocol";
import type { CompiledRule, Concern, ConcernedPart, RuleIndex, StepConcern } from "./compiled.ts";
import { type FileView, FiringDraft, failedFiring, fileView, whereContext } from "./firing.ts";
import type { RuleHost } from "./host.ts";
import { isJobEvent, runJobEvent, runJobs } from "./job/run-jobs.ts";
import type { Match } from "./pattern/match.ts";
import { plain } from "./plain.ts";
import type { DoContext, StepRule, WhereContext } from "./rule.ts";
import { readAs, versionsRead } from "./upcast.ts";

const noConcerns: readonly Concern[] = [];
/** Types of event that only tell what rules did. */
const announcements: ReadonlySet<string> = new Set(
  Object.values(builtInEvents).flatMap(({ type, sentBy }) => (sentBy === "rule" ? [type] : [])),
);

export interface Outcome {
  readonly firings: readonly Firing[];
  /** Why no rule handled the event; null when one did, or when it is an announcement of a rule. */
  readonly dead: string | null;
}

/** One event at one place of the log, and what rules have done with it so far. */
interface Run {
  readonly index: RuleIndex;
  readonly event: EventEnvelope;
  readonly host: RuleHost;
  readonly firings: Firing[];
}

/**
 * Runs every rule that is on the event's type, in order; each sees what those before it did.
 *
 * A rule that throws is undone alone: its firing holds nothing but a RuleFailed event with the reason.
 */
export function runRules(index: RuleIndex, event: EventEnvelope, host: RuleHost): Outcome {
  const run: Run = { index, event, host, firings: [] };
  const concerns = index.byEvent.get(event.type) ?? noConcerns;
  const flaw = isJobEvent(event)
    ? runJobEvent(index, event, host, (firing) => take(run, firing))
    : null;
  let isTaken = false;
  let unread = 0;
  let running: string | null = null;
  let view: FileView | undefined;
  for (const concern of concerns) {
    const { code } = concern;
    // Once for all rules of a file that follow each other: most of them only look at the event.
    if (code !== running) {
      if (running !== null) host.running(null);
      host.running(code);
      running = code;
      view = undefined;
    }
    const read = concern.version === event.version ? run : readBy(run, concern);
    if (read === null) unread += 1;
    else if (concern.type === "jobs")
      runJobs(index, concern, read.event, host, (firing) => take(run, firing));
    else if (concern.parts.length > 0) isTaken = contribute(read, concern) || isTaken;
    else {
      view ??= fileView(host, concern.compiled.file);
      fire(read, concern, null, view);
    }
  }
  if (running !== null) host.running(null);
  const { firings } = run;
  if (isTaken || firings.length > 0) return { firings, dead: null };
  if (unread > 0 && unread === concerns.length)
    return { firings, dead: unreadReason(event, concerns) };
  return { firings, dead: flaw ?? deadReason(event, concerns.length) };
}

/** The run with the event in the version that the rule reads; null when there is none, or lifting it failed. */
function readBy(run: Run, { reads, compiled }: Concern): Run | null {
  try {
    const event = readAs(reads, run.event);
    return event === null ? null : { ...run, event };
  } catch (error) {
    take(run, failedFiring(compiled, run.event, run.host, error));
    return null;
  }
}

function unreadReason({ type, version }: EventEnvelope, concerns: readonly Concern[]): string {
  const known = [...new Set(concerns.flatMap(({ reads }) => versionsRead(reads)))];
  const listed = known.sort((a, b) => a - b).join(", ");
  return `no rule in force reads version ${version} of ${type}; known are: ${listed}. Apply a rule file that declares it`;
}

/** Runs the rule whose pattern time alone has completed; `event` is the PatternDue that stands for it in the log. */
export function runDue(
  index: RuleIndex,
  due: { readonly rule: string; readonly match: Match },
  event: EventEnvelope,
  host: RuleHost,
): Outcome {
  const compiled = index.byId.get(due.rule);
  if (compiled === undefined || compiled.rule.kind !== "step")
    return { firings: [], dead: `${due.rule} is not in force` };
  const run: Run = { index, event, host, firings: [] };
  const { code, file, rule } = compiled;
  const step = { compiled: { ...compiled, rule }, conditions: rule.conditions };
  host.running(code);
  fire(run, step, due.match, fileView(host, file));
  host.running(null);
  return { firings: run.firings, dead: null };
}

/** Gives the event to the pattern of the rule, and runs it for each match; whether the pattern took anything. */
function contribute(run: Run, concern: StepConcern): boolean {
  const { event, host } = run;
  const { compiled, parts } = concern;
  let isTaken = false;
  for (const part of parts) {
    let contribution: Contribution | null;
    try {
      contribution = contributionOf(part, event);
    } catch (error) {
      take(run, failedFiring(compiled, event, host, error));
      return true;
    }
    if (contribution === null) continue;
    isTaken = true;
    for (const match of host.contribute(compiled.id, contribution))
      fire(run, concern, match, fileView(host, compiled.file));
  }
  return isTaken;
}

function contributionOf(
  { part, contribute: give }: ConcernedPart,
  event: EventEnvelope,
): Contribution | null {
  const given = give(event.data as never);
  if (given === null) return null;
  const { key, values, kept } = given;
  if (values === undefined && kept === undefined) return { key, part };
  return {
    key,
    part,
    ...(values === undefined ? {} : { values }),
    ...(kept === undefined ? {} : { kept: plain(kept) }),
  };
}

function take({ host, firings }: Run, firing: Firing | null): void {
  if (firing === null) return;
  host.fired(firing);
  firings.push(firing);
}

function deadReason({ type }: EventEnvelope, ruleCount: number): string | null {
  if (announcements.has(type)) return null;
  return ruleCount === 0
    ? `no rule is on ${type}`
    : `no condition of the ${ruleCount} rules on ${type} held`;
}

/** Runs the rule when its conditions hold. `match`: of its pattern; null for a rule on single events. */
function fire(
  run: Run,
  { compiled, conditions }: Pick<StepConcern, "compiled" | "conditions">,
  match: Match | null,
  view: FileView,
): void {
  const { event, host } = run;
  const shown = match === null ? undefined : compiled.rule.pattern?.show(match);
  const where = whereContext(host, view, event, shown);
  try {
    for (const condition of conditions) {
      const held: unknown = condition(where as WhereContext<never, never>);
      if (!held) return;
      if (isThenable(held)) throw new TypeError("a rule's condition must not return a promise");
    }
  } catch (error) {
    take(run, failedFiring(compiled, event, host, error));
    return;
  }
  take(run, act(run, compiled, causeOf(compiled.rule, match), where));
}

/** What the rule does, once its conditions hold. */
function act(
  { index, event, host }: Run,
  compiled: CompiledRule<StepRule>,
  why: string,
  where: WhereContext<Json, unknown>,
): Firing {
  const { transaction } = host;
  const savepoint = transaction.savepoint();
  const draft = new FiringDraft(compiled, host, index, { match: where.match, why });
  try {
    const returned: unknown = compiled.rule.action(
      draft.doContext(where) as DoContext<never, never>,
    );
    if (isThenable(returned)) throw new TypeError("a rule's action must not return a promise");
    const firing = draft.finish(transaction.changesSince(savepoint));
    host.admit(compiled.file, firing);
    return firing;
  } catch (error) {
    transaction.rollbackTo(savepoint);
    return failedFiring(compiled, event, host, error);
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}

/** What it says when the rule itself says nothing. */
function causeOf({ event, pattern }: StepRule, match: Match | null): string {
  if (pattern === undefined || match === null) return `on ${event.type}`;
  const { key, since, until } = match;
  const types = [...new Set(pattern.parts.map((part) => part.event.type))].join(", ");
  const of = key === "" ? "" : ` of ${key}`;
  return `on ${pattern.description.type} of ${types}${of}, from ${since} to ${until}`;
}
