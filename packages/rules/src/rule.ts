import type {
  AlertSeverity,
  Command,
  CommandAction,
  CommandType,
  DataOf,
  EventEnvelope,
  EventType,
  GraphUpdate,
  GraphView,
  Json,
  SecretReference,
} from "@halon/protocol";
import type { z } from "zod";
import type { Invariant } from "./invariant.ts";
import type { StatechartRule } from "./job/statechart.ts";
import type { Pattern } from "./pattern/patterns.ts";
import { checkedPriority } from "./priority.ts";

/** The graph as rules see it, with the questions that most rules ask. */
export interface RuleGraph extends GraphView {
  /** Whether the instance is the one its slot holds, and the slot wants a service that nobody stopped or broke. */
  wants(instance: string): boolean;
}

/** What a condition sees. `now` is log time in ms; there is no other clock. */
export interface WhereContext<D, M = undefined> {
  /** What has matched, of a rule on a pattern. */
  readonly match: M;
  /** Of a pattern: the event that completed it. */
  readonly event: D;
  readonly envelope: EventEnvelope<D>;
  readonly graph: RuleGraph;
  readonly now: number;
  readonly memory: { get(key: string): Json | undefined };
}

/** Commands that a rule asks for. They leave after the record is durable. */
export interface CommandContext {
  /** Asks for a start as a person would; `after` in ms of log time. */
  start(service: string, options?: RequestOptions): void;
  stop(service: string, options?: RequestOptions): void;
  restart(service: string, options?: RequestOptions): void;
  /** Sends one command to one node and gives its id. */
  send(node: string, action: CommandAction, options: { readonly deadlineMs: number }): string;
  /** Takes commands to a node out of the outbox: all, or those about one instance, perhaps of one type alone. */
  cancel(node: string, instance?: string, type?: CommandType): void;
  /** Commands to the node that are not answered yet, oldest first. */
  outstanding(node: string): readonly Command[];
  /** The command that the event answers; it is not outstanding any more. */
  answered(): Command | undefined;
}

/** Where and when a rule's request is carried out. */
export interface RequestOptions {
  readonly on?: string;
  /** Delay in ms of log time. */
  readonly after?: number;
  readonly reason?: string;
}

/** Timers of the rule file; a key of another file is another timer. */
export interface TimerContext {
  /** Publishes the event after `ms` of log time; a timer of the same key is replaced. */
  after<T extends string, D>(key: string, ms: number, event: EventType<T, D>, data: D): void;
  cancel(key: string): void;
  pending(key: string): boolean;
}

/** Jobs: instances of statechart rules, one for each key. A rule is named as in its file, or `file/rule`. */
export interface JobContext {
  /** Asks for a job; one that runs for the same key is joined. Throws when the rule takes no requests. */
  start(rule: string, data: unknown): void;
  /** Asks a job to end: its machine gets `cancel` where its state waits for it, and else it ends at once. */
  cancel(rule: string, key: string, reason: string): void;
  /** Jobs of that version (blob) of a rule file that have not ended. */
  running(file: string, version: string): number;
}

/** How a program of a node's allow-list is run. */
export interface RunOptions {
  /** The node. */
  readonly on: string;
  /** Each is one argument of the process, after those of the allow-list; no shell reads them. */
  readonly args?: readonly string[];
  /** When it has not ended by then it is ended; from 1 ms to 24 h. */
  readonly deadlineMs: number;
  /** Names this run in RunEnded; without it one is made. */
  readonly ref?: string;
}

/** A call of a webhook: a POST with JSON. */
export interface CallOptions {
  /** `http://` or `https://`, without user name and password. */
  readonly url: string;
  readonly body: unknown;
  /** The node that calls; without it any that is up. */
  readonly on?: string;
  /** A secret is given by reference: `{ $secret: "env:NAME" }` or `{ $secret: "file:/path" }` on the node. */
  readonly headers?: Readonly<Record<string, string | SecretReference>>;
  /** At most so many, 5 by default, from 1 to 100. */
  readonly attempts?: number;
  /** Of all attempts together; from 1 ms to 24 h. */
  readonly deadlineMs: number;
  /** Names this call in CallEnded; without it one is made. */
  readonly ref?: string;
}

/** What people should look at. Keys are those of the rule file. */
export interface AlertContext {
  /** One that stands gets the text and the severity; people are told anew only when the severity is another. */
  raise(key: string, alert: { readonly severity: AlertSeverity; readonly text: string }): void;
  /** One that does not stand is left alone. */
  clear(key: string, reason?: string): void;
}

/** What a rule's action sees and may do. Everything it does becomes one firing in the record. */
export interface DoContext<D, M = undefined> extends WhereContext<D, M> {
  readonly update: GraphUpdate & {
    /** Changes a copy of the resource's attributes with an immer recipe. */
    edit(kind: string, id: string, recipe: (attributes: Record<string, Json>) => void): void;
  };
  /** Milliseconds since 1970, for attributes that people read; never compare it. */
  readonly wallTime: number;
  readonly memory: { get(key: string): Json | undefined; set(key: string, value: unknown): void };
  readonly command: CommandContext;
  readonly timer: TimerContext;
  readonly job: JobContext;
  /**
   * Has a node run a program of its allow-list (`halond --allow-run FILE`), once at most. RunEnded tells how that ended;
   * the ref is given back. Throws on names, arguments and deadlines that cannot be.
   */
  run(name: string, options: RunOptions): string;
  /**
   * Posts JSON to a webhook, again after failures, with one Idempotency-Key. CallEnded tells how that ended; the ref is
   * given back. Throws on addresses, headers and deadlines that cannot be.
   */
  call(options: CallOptions): string;
  readonly alert: AlertContext;
  /** Publishes an event; rules decide on it next, in the same record. */
  publish<T extends string, E>(event: EventType<T, E>, data: E): void;
  /** Adds a sentence to the reason that people read. */
  why(text: string): void;
}

/** One rule: of a single step, or of several. */
export type Rule = StepRule | StatechartRule;

/** A rule of a single step: an event or a pattern, a condition, an action. */
export interface StepRule {
  readonly kind: "step";
  /** Of a pattern: its first part's. */
  readonly event: EventType;
  readonly pattern?: Pattern<never, unknown>;
  readonly conditions: readonly ((context: WhereContext<never, never>) => boolean)[];
  readonly action: (context: DoContext<never, never>) => void;
  /** -1000 to 1000; of rules on one event those of a higher one act first. Absent: 0. */
  readonly priority?: number;
}

/** The value of a rule file. */
export interface Rules {
  readonly kind: "rules";
  /** `node`: it runs in the processor of every node. */
  readonly runs?: "node";
  /** Of such a file: the types that it takes; the others of `events` it publishes. */
  readonly hears?: readonly string[];
  readonly rules: Readonly<Record<string, Rule>>;
  /** Types of event that the file declares beside those its rules are on. */
  readonly events: readonly EventType[];
  /** Kinds of resource that its rules put into the graph, with the schema of their attributes. */
  readonly resources: Readonly<Record<string, z.ZodType>>;
  readonly invariants?: readonly Invariant[];
}

interface RuleBuilder<D, M> {
  /** Adds a condition; all must hold. It must not change anything. */
  where(condition: (context: WhereContext<D, M>) => boolean): RuleBuilder<D, M>;
  /** Of rules on one event those of a higher one act first: -1000 to 1000, 0 by default. Throws a RangeError on others. */
  priority(priority: number): RuleBuilder<D, M>;
  do(action: (context: DoContext<D, M>) => void): StepRule;
}

/** Begins a rule on a pattern over time: it fires on each match. */
export function on<D, M>(pattern: Pattern<D, M>): RuleBuilder<D, M>;
/** Begins a rule on a type of event. */
export function on<E extends EventType<string, never> | EventType>(
  event: E,
): RuleBuilder<DataOf<E>, undefined>;
export function on(what: EventType | Pattern<never, unknown>): RuleBuilder<never, never> {
  if (!("kind" in what)) return builder({ event: what, conditions: [] });
  const [first] = what.parts;
  if (first === undefined) throw new TypeError("a pattern is of at least one type of event");
  return builder({ event: first.event, pattern: what, conditions: [] });
}

function builder(begun: Omit<StepRule, "kind" | "action">): RuleBuilder<never, never> {
  return {
    where: (condition) => builder({ ...begun, conditions: [...begun.conditions, condition] }),
    priority: (priority) => builder({ ...begun, priority: checkedPriority(priority) }),
    do: (action) => ({ kind: "step", ...begun, action }),
  };
}
