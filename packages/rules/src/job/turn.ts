import {
  type DataOf,
  type EventEnvelope,
  events,
  type Firing,
  type JobRequester,
  type Json,
} from "@halon/protocol";
import type { AnyMachineSnapshot } from "xstate";
import type { CompiledRule, RuleIndex } from "../compiled.ts";
import { FiringDraft } from "../firing.ts";
import type { RuleHost } from "../host.ts";
import { plain, wholeMs } from "../plain.ts";
import {
  fileOf,
  type Job,
  jobCountKey,
  jobKey,
  jobTimerKey,
  requesterKey,
  requestsMax,
} from "./job.ts";
import {
  advance,
  begin,
  delaysOf,
  expectations,
  type MachineAction,
  type Moved,
  persist,
  placeAt,
  restore,
  stateText,
} from "./machine.ts";
import type { Happened, MigratedJob, StatechartRule } from "./statechart.ts";
import { releaseVersion } from "./version.ts";

export type Requester = JobRequester;

type Ended = DataOf<typeof events.JobEnded>;

/** How long the delay of a job waits anew while its rule file is not in force. */
const retryMs = 30_000;

/** What one event does with one job: its machine moves, and its effects go into the draft. */
export class JobTurn {
  readonly draft: FiringDraft;
  readonly #compiled: CompiledRule<StatechartRule>;
  readonly #key: string;
  readonly #host: RuleHost;
  readonly #event: EventEnvelope;
  #job: Job | null;
  #snapshot: AnyMachineSnapshot | null = null;

  constructor(
    compiled: CompiledRule<StatechartRule>,
    key: string,
    job: Job | null,
    draft: FiringDraft,
    host: RuleHost,
    event: EventEnvelope,
  ) {
    this.#compiled = compiled;
    this.#key = key;
    this.#job = job;
    this.draft = draft;
    this.#host = host;
    this.#event = event;
  }

  get job(): Job {
    if (this.#job === null) throw new Error(`the job "${this.#key}" has not begun`);
    return this.#job;
  }

  set job(job: Job) {
    this.#job = job;
  }

  /** Begins the job. */
  begin(input: Happened<string, Json>, requester: Requester): boolean {
    const { id, version, rule } = this.#compiled;
    this.#job = {
      version,
      since: this.#host.now,
      snapshot: null,
      waits: [],
      defers: [],
      deferred: [],
      armed: [],
      requests: 0,
      cancelled: null,
    };
    this.join(requester);
    this.#armDeadline(rule.deadlineMs);
    count(this.draft, version, 1);
    this.draft.why(`the job "${this.#key}" begins on ${this.#event.type}`);
    this.#carryOut(begin(rule.machine, input), id);
    return true;
  }

  /** Notes who asked for it; beyond the bound they are counted only. */
  join(requester: Requester): void {
    const { requests } = this.job;
    if (requests < requestsMax)
      this.draft.remember(requesterKey(this.#compiled.id, this.#key, requests), requester);
    this.job = { ...this.job, requests: requests + 1 };
  }

  /** Gives the machine an event, then those put off that its new state takes. False: it stays as it is. */
  hear(event: { readonly type: string }): boolean {
    const { id, rule } = this.#compiled;
    const { machine } = rule;
    this.#snapshot ??= restore(machine, this.job.snapshot);
    const from = this.#snapshot;
    const moved = advance(machine, from, event);
    if (moved === null) return false;
    this.#carryOut(moved, id);
    this.draft.why(
      `the job "${this.#key}" goes from ${stateText(from)} to ${stateText(moved.snapshot)} on ${event.type}`,
    );
    this.#recall(moved.snapshot);
    return true;
  }

  /** Goes on in this version, from there; delays that it has too go on, others begin or end. */
  move({ state, context }: MigratedJob): void {
    const { id, version, rule } = this.#compiled;
    const snapshot = placeAt(rule.machine, state, context);
    const wanted = delaysOf(snapshot);
    const gone = this.job.armed.filter((timer) => !wanted.has(timer));
    for (const timer of gone) this.draft.disarm(jobTimerKey(id, this.#key, timer));
    const old = this.job.version;
    this.job = {
      ...this.job,
      version,
      armed: this.job.armed.filter((timer) => wanted.has(timer)),
    };
    for (const [timer, delay] of wanted)
      if (!this.job.armed.includes(timer))
        this.#delay(id, { id: timer, delay, event: { type: timer } });
    const { view, update } = this.#host.transaction;
    count(this.draft, version, 1);
    if (count(this.draft, old, -1) === 0) releaseVersion(view, update, this.#compiled.file, old);
    this.draft.why(
      `the job "${this.#key}" goes on as ${stateText(snapshot)} of ${version.slice(0, 8)}`,
    );
    this.#settle(snapshot);
    this.#recall(snapshot);
  }

  /** Puts the job into the draft: where it is, or how it ended. */
  close(): void {
    const { id, rule } = this.#compiled;
    const snapshot = this.#snapshot;
    const { cancelled } = this.job;
    if (snapshot === null || snapshot.status === "active") {
      const saved =
        snapshot === null ? this.job : { ...this.job, snapshot: persist(rule.machine, snapshot) };
      this.draft.remember(jobKey(id, this.#key), saved);
      return;
    }
    const finished = snapshot.tags.has("failed") ? "failed" : "done";
    endJob(this.draft, this.#host, id, this.#key, this.job, {
      outcome: cancelled === null ? finished : "cancelled",
      ...(cancelled === null ? {} : { reason: cancelled }),
      ...(snapshot.output === undefined ? {} : { output: plain(snapshot.output, "output") }),
    });
  }

  /** Each event put off is given once, so this ends. */
  #recall(snapshot: AnyMachineSnapshot): void {
    const at = this.job.deferred.findIndex(({ type }) => this.job.waits.includes(type));
    const event = this.job.deferred[at];
    if (snapshot.status !== "active" || event === undefined) return;
    this.job = { ...this.job, deferred: this.job.deferred.toSpliced(at, 1) };
    if (!this.hear(event)) this.#recall(snapshot);
  }

  #carryOut({ snapshot, actions }: Moved, rule: string): void {
    this.#settle(snapshot);
    for (const action of actions) this.#perform(action, rule);
  }

  #settle(snapshot: AnyMachineSnapshot): void {
    this.#snapshot = snapshot;
    const types = [...this.#compiled.rule.hears.map(({ event }) => event.type), "cancel"];
    this.job = { ...this.job, ...expectations(snapshot, types) };
  }

  #perform(action: MachineAction, rule: string): void {
    switch (action.type) {
      case "xstate.raise":
        this.#delay(rule, action.params as Raise);
        return;
      case "xstate.cancel": {
        const { sendId } = action.params as { readonly sendId: string };
        this.job = { ...this.job, armed: this.job.armed.filter((timer) => timer !== sendId) };
        this.draft.disarm(jobTimerKey(rule, this.#key, sendId));
        return;
      }
      default:
        this.#runEffect(action);
    }
  }

  /** An event of the machine for later; one without a delay it has taken already. */
  #delay(rule: string, { id, delay, event }: Raise): void {
    if (delay === undefined) return;
    const ms = wholeMs(delay, `the delay of ${event.type}`);
    const timer = id ?? this.#freeTimer(event.type);
    const armed = this.job.armed.filter((each) => each !== timer);
    this.job = { ...this.job, armed: [...armed, timer] };
    this.#arm(timer, ms, { rule, key: this.#key, timer, event });
  }

  #freeTimer(type: string): string {
    for (let number = 1; ; number += 1) {
      const timer = `${type}#${number}`;
      if (!this.job.armed.includes(timer)) return timer;
    }
  }

  #armDeadline(ms: number): void {
    this.#arm(null, ms, { rule: this.#compiled.id, key: this.#key, timer: "deadline" });
  }

  #arm(timer: string | null, ms: number, data: object): void {
    const key = jobTimerKey(this.#compiled.id, this.#key, timer);
    this.draft.arm(key, ms, events.JobTimerDue, data);
  }

  #runEffect({ type, info, params }: MachineAction): void {
    const effect = this.#compiled.rule.effects[type];
    if (effect === undefined) throw new TypeError(`the action ${type} is no effect of the rule`);
    const {
      event: _event,
      match: _match,
      ...context
    } = this.draft.doContext(this.draft.whereContext(this.#event));
    const returned: unknown = effect({
      ...context,
      event: info.event,
      context: info.context,
      params,
      key: this.#key,
    } as never);
    if (typeof returned === "object" && returned !== null && "then" in returned)
      throw new TypeError(`the effect ${type} must not return a promise`);
  }
}

interface Raise {
  readonly id?: string;
  readonly delay?: number;
  readonly event: { readonly type: string };
}

/** Takes the job away, and tells all who asked for it how it ended. */
export function endJob(
  draft: FiringDraft,
  host: RuleHost,
  rule: string,
  key: string,
  job: Job,
  end: Pick<Ended, "outcome" | "reason" | "output">,
): void {
  draft.remember(jobKey(rule, key), null);
  for (const timer of [null, ...job.armed]) draft.disarm(jobTimerKey(rule, key, timer));
  const { view, update } = host.transaction;
  if (count(draft, job.version, -1) === 0) releaseVersion(view, update, fileOf(rule), job.version);
  const named = Math.min(job.requests, requestsMax);
  const requests: Json[] = [];
  for (let number = 0; number < named; number += 1) {
    const asked = requesterKey(rule, key, number);
    requests.push(draft.recall(asked) ?? null);
    draft.remember(asked, null);
  }
  const reason = end.reason === undefined ? "" : `, ${end.reason}`;
  draft.why(`the job "${key}" has ended: ${end.outcome}${reason}`);
  const more = job.requests - named;
  const { since } = job;
  const ended = { rule, key, ...end, since, requests, ...(more === 0 ? {} : { more }) };
  draft.publish(events.JobEnded, ended);
}

/** The delay of a job whose version is not in force: tried again later, so that it is not lost. */
export function retryLater(
  { host, index }: { readonly host: RuleHost; readonly index: RuleIndex },
  rule: string,
  due: { readonly key: string; readonly timer: string; readonly event: Json },
): Firing {
  const why = `${rule} is not in force; the delay of the job "${due.key}" waits ${retryMs} ms more`;
  const draft = new FiringDraft({ id: rule, file: fileOf(rule) }, host, index, { why });
  draft.arm(jobTimerKey(rule, due.key, due.timer), retryMs, events.JobTimerDue, { rule, ...due });
  return draft.finish([]);
}

/** Counts the jobs of a version, so that nobody has to look for them. */
function count(draft: FiringDraft, version: string, change: number): number {
  const now = Number(draft.recall(jobCountKey(version)) ?? 0) + change;
  draft.remember(jobCountKey(version), now === 0 ? null : now);
  return now;
}
