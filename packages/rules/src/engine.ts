import {
  builtInEvents,
  type Contribution,
  type EventEnvelope,
  type Firing,
  type Json,
} from "@halon/protocol";
import type { CompiledRule, Concern, RuleIndex, StepConcern } from "./compiled.ts";
import { FiringDraft, failedFiring, whereContext } from "./firing.ts";
import type { RuleHost } from "./host.ts";
import { isJobEvent, runJobEvent, runJobs } from "./job/run-jobs.ts";
import type { Match } from "./pattern/match.ts";
import { plain } from "./plain.ts";
import type { DoContext, StepRule, WhereContext } from "./rule.ts";

const noConcerns: readonly Concern[] = [];

export interface Outcome {
  readonly firings: readonly Firing[];
  /** Why no rule handled the event; null when one did, or when it is an announcement of a rule. */
  readonly dead: string | null;
}

/**
 * Runs every rule that is on the event's type, in order; each sees what those before it did.
 *
 * A rule that throws is undone alone: its firing holds nothing but a RuleFailed event with the reason.
 */
export function runRules(index: RuleIndex, event: EventEnvelope, host: RuleHost): Outcome {
  const concerns = index.byEvent.get(event.type) ?? noConcerns;
  const firings: Firing[] = [];
  let isTaken = false;
  let running: string | null = null;
  const flaw = isJobEvent(event)
    ? runJobEvent(index, event, host, (firing) => take(firing, firings, host))
    : null;
  for (const concern of concerns) {
    const { code } = concern.compiled;
    // Told once for all rules of a file that follow each other: most of them only look at the event.
    if (code !== running) {
      if (running !== null) host.running(null);
      host.running(code);
      running = code;
    }
    if (concern.type === "jobs")
      runJobs(index, concern, event, host, (firing) => take(firing, firings, host));
    else if (concern.parts.length === 0)
      take(fire(index, concern.compiled, event, host, null), firings, host);
    else isTaken = contribute(index, concern, event, host, firings) || isTaken;
  }
  if (running !== null) host.running(null);
  const isHandled = isTaken || firings.length > 0;
  return { firings, dead: isHandled ? null : (flaw ?? deadReason(event, concerns.length)) };
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
  const firings: Firing[] = [];
  host.running(compiled.code);
  const step = { ...compiled, rule: compiled.rule };
  take(fire(index, step, event, host, due.match), firings, host);
  host.running(null);
  return { firings, dead: null };
}

/** Gives the event to the pattern of the rule, and runs it for each match; whether the pattern took anything. */
function contribute(
  index: RuleIndex,
  { compiled, parts }: StepConcern,
  event: EventEnvelope,
  host: RuleHost,
  firings: Firing[],
): boolean {
  let isTaken = false;
  for (const part of parts) {
    let contribution: Contribution | null;
    try {
      contribution = contributionOf(compiled, part, event);
    } catch (error) {
      take(failedFiring(compiled, event, host, error), firings, host);
      return true;
    }
    if (contribution === null) continue;
    isTaken = true;
    for (const match of host.contribute(compiled.id, contribution))
      take(fire(index, compiled, event, host, match), firings, host);
  }
  return isTaken;
}

function contributionOf(
  { rule }: CompiledRule<StepRule>,
  part: number,
  event: EventEnvelope,
): Contribution | null {
  const given = rule.pattern?.parts[part]?.contribute(event.data as never);
  if (given === undefined || given === null) return null;
  const { key, values, kept } = given;
  if (values === undefined && kept === undefined) return { key, part };
  return {
    key,
    part,
    ...(values === undefined ? {} : { values }),
    ...(kept === undefined ? {} : { kept: plain(kept) }),
  };
}

function take(firing: Firing | null, firings: Firing[], host: RuleHost): void {
  if (firing === null) return;
  host.fired(firing);
  firings.push(firing);
}

function deadReason(event: EventEnvelope, ruleCount: number): string | null {
  const builtIn = builtInEvents[event.type as keyof typeof builtInEvents];
  if (builtIn?.sentBy === "rule") return null;
  return ruleCount === 0
    ? `no rule is on ${event.type}`
    : `no condition of the ${ruleCount} rules on ${event.type} held`;
}

/** `match`: of its pattern; null for a rule on single events. */
function fire(
  index: RuleIndex,
  compiled: CompiledRule<StepRule>,
  event: EventEnvelope,
  host: RuleHost,
  match: Match | null,
): Firing | null {
  const { conditions, pattern } = compiled.rule;
  const shown = match === null ? undefined : pattern?.show(match);
  const where = whereContext(host, compiled.file, event, shown);
  try {
    for (const condition of conditions)
      if (!condition(where as WhereContext<never, never>)) return null;
  } catch (error) {
    return failedFiring(compiled, event, host, error);
  }
  return act(index, compiled, event, host, match, where);
}

/** What the rule does, once its conditions hold. */
function act(
  index: RuleIndex,
  compiled: CompiledRule<StepRule>,
  event: EventEnvelope,
  host: RuleHost,
  match: Match | null,
  where: WhereContext<Json, unknown>,
): Firing {
  const { transaction } = host;
  const savepoint = transaction.savepoint();
  const why = causeOf(compiled.rule, match);
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
