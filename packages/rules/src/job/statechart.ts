import {
  type DataOf,
  Duration,
  type EventType,
  events,
  type Json,
  type JsonObject,
} from "@halon/protocol";
import type {
  AnyStateMachine,
  ContextFrom,
  EventFromLogic,
  InputFrom,
  StateMachine,
  StateValue,
} from "xstate";
import type { z } from "zod";
import type { Span } from "../pattern/patterns.ts";
import { checkedPriority } from "../priority.ts";
import type { DoContext } from "../rule.ts";

/** An event as the machine of a job gets it; `at` is log time in ms, the only clock. */
export interface Happened<T extends string, D> {
  readonly type: T;
  readonly data: D;
  readonly id: string;
  readonly source: string;
  readonly at: number;
}

/** What a machine gets of these types of event: `JobEvent<typeof DiskFailed | typeof NodeUp>`. */
export type JobEvent<E> =
  E extends EventType<infer T extends string, infer D> ? Happened<T, D> : never;

/** The input of a machine that was asked for by `job.start` or by a person. */
export type JobRequest<R> = Happened<"request", R>;

/** What a machine gets when its job is to end before its work is done. */
export type JobCancel = Happened<"cancel", { readonly reason: string }>;

/** Says which job an event is for; null: for none. */
export type Key = string | number | null;

/** A type of event that the jobs of a rule hear, and for which of them each is. */
export interface Heard<J = unknown> {
  readonly event: EventType;
  /** Of the event's data; `rule` is `file/rule`. Code of the rule file. */
  readonly keys: (data: never, rule: string) => Key | readonly Key[];
  /** Never there; keeps the type of what the machine gets. */
  readonly hears?: J;
}

/** An event for the job whose key this is. */
export function by<E extends EventType<string, never> | EventType>(
  event: E,
  key: (data: DataOf<E>) => Key | readonly Key[],
): Heard<JobEvent<E>> {
  return { event: event as EventType, keys: key };
}

/** `JobEnded` of the jobs that this job has asked for. */
export const awaited: Heard<JobEvent<typeof events.JobEnded>> = {
  event: events.JobEnded as unknown as EventType,
  keys: ({ requests }: DataOf<typeof events.JobEnded>, own) =>
    requests.flatMap(({ rule, key }) => (rule === own && key !== undefined ? [key] : [])),
};

/** `RunEnded` of the programs that this job has had run. */
export const runAwaited: Heard<JobEvent<typeof events.RunEnded>> = {
  event: events.RunEnded as unknown as EventType,
  keys: ({ asked }: DataOf<typeof events.RunEnded>, own) =>
    asked.rule === own ? (asked.key ?? null) : null,
};

/** `CallEnded` of the webhooks that this job has called. */
export const callAwaited: Heard<JobEvent<typeof events.CallEnded>> = {
  event: events.CallEnded as unknown as EventType,
  keys: ({ asked }: DataOf<typeof events.CallEnded>, own) =>
    asked.rule === own ? (asked.key ?? null) : null,
};

/** Stands in `setup({ actions })` for an action that is an effect of the rule. */
export const effect = (): void => undefined;

/** What an effect sees and may do: as the action of any rule, with what the machine gives to its action. */
export type EffectContext<M extends AnyStateMachine, P = undefined> = Omit<
  DoContext<never>,
  "event" | "match"
> & {
  readonly event: EventFromLogic<M>;
  /** Of the machine, at the moment of the action. */
  readonly context: ContextFrom<M>;
  readonly params: P;
  /** Of the job. */
  readonly key: string;
};

type ActionOf<M> =
  M extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer _Actor,
    infer Action,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _Meta,
    infer _Schema,
    infer _TransitionMeta
  >
    ? Action
    : never;

/** By the name of the machine's action. */
export type Effects<M extends AnyStateMachine> = {
  readonly [A in ActionOf<M> as A["type"]]?: (context: EffectContext<M, A["params"]>) => void;
};

/** A job of an earlier version of the file. */
export interface OldJob {
  readonly key: string;
  readonly version: string;
  readonly state: Json;
  readonly context: JsonObject;
}

/** The types of event that a machine declares include those that its rule hears, and its input is what its jobs begin with. */
type Fits<M extends AnyStateMachine, J, I> = [J] extends [EventFromLogic<M>]
  ? [I] extends [InputFrom<M>]
    ? unknown
    : { readonly "the input of the machine is not what its jobs begin with": I }
  : { readonly "the machine does not declare these events": Exclude<J, EventFromLogic<M>> };

type HeardOf<H extends readonly Heard[]> = NonNullable<H[number]["hears"]>;

/** Several steps of recovery as a statechart: one instance, a job, for each key (rfc/0010). */
export interface StatechartRule {
  readonly kind: "statechart";
  readonly pattern?: undefined;
  readonly hears: readonly Heard[];
  /** Types of event that begin a job. */
  readonly starts: ReadonlySet<string>;
  readonly requests?: {
    readonly schema: z.ZodType;
    readonly by: (request: never) => Key;
  };
  readonly machine: AnyStateMachine;
  readonly effects: Readonly<Record<string, (context: never) => void>>;
  readonly deadlineMs: number;
  /** As that of a single-step rule. */
  readonly priority?: number;
  readonly migrate?: (old: OldJob) => MigratedJob | null;
}

/** Where a job of an earlier version goes on. */
export interface MigratedJob {
  readonly state: StateValue;
  readonly context: object;
}

const deadlineDefaultMs = 3_600_000;
const deadlineMaxMs = 366 * 86_400_000;

/**
 * A rule of several steps.
 *
 * `on`: the events that its jobs hear. `starts`: those of them that begin a job, or join one that runs. `requests`: what
 * `job.start` takes. `effects`: by the name of the machine's action, what is done; assignments and guards are the machine's
 * own. `deadline`: every job ends by then, 1 h by default. `migrate`: where a job of an earlier version of the file goes on.
 */
export function statechart<
  M extends AnyStateMachine,
  const H extends readonly Heard[],
  S extends EventType<string, never> | EventType = never,
  R = never,
>(definition: {
  readonly on: H;
  readonly starts?: readonly S[];
  readonly requests?: {
    readonly schema: z.ZodType<R>;
    readonly by: (request: R) => Key;
  };
  readonly machine: M &
    Fits<M, HeardOf<H>, JobEvent<S> | ([R] extends [never] ? never : JobRequest<R>)>;
  readonly effects?: NoInfer<Effects<M>>;
  readonly deadline?: Span;
  readonly priority?: number;
  readonly migrate?: (
    old: OldJob,
  ) => { readonly state: StateValue; readonly context: ContextFrom<M> } | null;
}): StatechartRule {
  const {
    on,
    starts = [],
    requests,
    machine,
    effects = {},
    deadline,
    priority,
    migrate,
  } = definition;
  const heard = new Set(on.map(({ event }) => event.type));
  const strange = starts.find(({ type }) => !heard.has(type));
  if (strange !== undefined)
    throw new TypeError(
      `statechart: starts: ${strange.type} is not in \`on\`; add by(${strange.type}, …)`,
    );
  if (starts.length === 0 && requests === undefined)
    throw new TypeError(
      "statechart: nothing begins a job; name an event in `starts`, or take `requests`",
    );
  return {
    kind: "statechart",
    hears: on,
    starts: new Set(starts.map(({ type }) => type)),
    ...(requests === undefined ? {} : { requests }),
    machine,
    effects: effects as StatechartRule["effects"],
    deadlineMs: deadlineOf(deadline),
    ...(priority === undefined ? {} : { priority: checkedPriority(priority) }),
    ...(migrate === undefined ? {} : { migrate }),
  };
}

function deadlineOf(deadline: Span | undefined): number {
  if (deadline === undefined) return deadlineDefaultMs;
  const { data } = Duration.safeParse(deadline);
  if (data !== undefined && data >= 1 && data <= deadlineMaxMs) return data;
  throw new RangeError(
    `statechart: deadline is ${JSON.stringify(deadline)}; it is a time such as 10m or 2h, from 1 ms to 366 days`,
  );
}
