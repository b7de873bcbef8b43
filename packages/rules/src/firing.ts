import {
  type Change,
  type Command,
  type CommandAction,
  type CommandType,
  type EventEnvelope,
  type EventType,
  events,
  type Firing,
  type Json,
  type JsonObject,
  type TimerChange,
} from "@halon/protocol";
import { produce } from "immer";
import { z } from "zod";
import { alertContext } from "./alerts.ts";
import { type CompiledRule, newestChart, type RuleIndex } from "./compiled.ts";
import { callWebhook, runProgram } from "./effects.ts";
import type { RuleHost } from "./host.ts";
import { jobCountKey } from "./job/job.ts";
import { plain, reasonOf, wholeMs } from "./plain.ts";
import type { DoContext, RequestOptions, WhereContext } from "./rule.ts";
import { ruleGraph } from "./rule-graph.ts";

/** Characters of JSON that a rule may remember under one key. */
const memoryValueMax = 1_048_576;

/** Memory and timers of the engine itself, which rules cannot reach, have keys that begin like this. */
const reserved = "@";

/** What a rule fires on. */
export interface FiringCause {
  /** What its pattern has matched, as the rule sees it. */
  readonly match?: unknown;
  /** What it says when the rule itself says nothing. */
  readonly why: string;
  /** The key of the job that it belongs to. */
  readonly job?: string;
}

interface TypeAndVersion {
  readonly type: string;
  readonly version?: number;
}

/** A command that has its id. */
interface Sent {
  readonly id: string;
  readonly node: string;
  readonly action: CommandAction;
  readonly deadlineMs: number;
}

/** Collects what one rule does with one event. */
export class FiringDraft {
  readonly #compiled: Pick<CompiledRule, "id" | "file">;
  readonly #host: RuleHost;
  readonly #index: RuleIndex;
  readonly #cause: FiringCause;
  readonly #why: string[] = [];
  readonly #memory = new Map<string, Json>();
  readonly #timers = new Map<string, TimerChange>();
  readonly #commands: Command[] = [];
  readonly #cancelled: string[] = [];
  readonly #published: EventEnvelope[] = [];
  #requests = 0;

  constructor(
    compiled: Pick<CompiledRule, "id" | "file">,
    host: RuleHost,
    index: RuleIndex,
    cause: FiringCause,
  ) {
    this.#compiled = compiled;
    this.#host = host;
    this.#index = index;
    this.#cause = cause;
  }

  whereContext(event: EventEnvelope): WhereContext<Json, unknown> {
    const host = this.#host;
    return whereContext(host, fileView(host, this.#compiled.file), event, this.#cause.match);
  }

  doContext(where: WhereContext<Json, unknown>): DoContext<Json, unknown> {
    const host = this.#host;
    const { update, view } = host.transaction;
    return {
      ...where,
      wallTime: host.wallTime,
      update: {
        put: (kind, id, attributes) => update.put(kind, id, attributes),
        patch: (kind, id, attributes) => update.patch(kind, id, attributes),
        remove: (kind, id) => update.remove(kind, id),
        relate: (from, name, to) => update.relate(from, name, to),
        unrelate: (from, name, to) => update.unrelate(from, name, to),
        edit: (kind, id, recipe) => {
          const found = view.get(kind, id);
          if (found === undefined) throw new RangeError(`there is no ${kind} ${id} to edit`);
          update.put(
            kind,
            id,
            produce(found.attributes as JsonObject, (draft) => void recipe(draft)) as never,
          );
        },
      },
      memory: {
        get: (key) => this.recall(open(key)),
        set: (key, value) => this.remember(open(key), value),
      },
      command: this.#commandContext(),
      timer: {
        after: (key, ms, event, data) => this.arm(open(key), ms, event, data),
        cancel: (key) => this.disarm(open(key)),
        pending: (key) => this.#isPending(this.#ownKey(open(key))),
      },
      job: this.#jobContext(),
      run: (name, options) => runProgram(this.#effects(), name, options),
      call: (options) => callWebhook(this.#effects(), options),
      alert: this.#alertContext(),
      publish: (event, data) => this.publish(event, data),
      why: (text) => this.why(text),
    };
  }

  /** Adds a sentence to the reason. */
  why(text: string): void {
    this.#why.push(text);
  }

  publish(event: { readonly type: string; readonly version: number }, data: unknown): void {
    this.#published.push(envelope(this.#host, this.#compiled.id, event, data));
  }

  /** The rule's memory, that of the engine included. */
  recall(key: string): Json | undefined {
    const own = this.#memory.get(key);
    const value = own === undefined ? this.#host.memory(this.#compiled.file, key) : own;
    return value === null ? undefined : value;
  }

  remember(key: string, value: unknown): void {
    this.#memory.set(key, bounded(key, plain(value)));
  }

  /** Arms a timer of the rule's file. */
  arm(key: string, ms: number, event: TypeAndVersion, data: unknown): void {
    this.#arm(this.#ownKey(key), ms, event, data);
  }

  disarm(key: string): void {
    const own = this.#ownKey(key);
    this.#timers.set(own, { type: "disarm", key: own });
  }

  finish(changes: readonly Change[]): Firing {
    return {
      rule: this.#compiled.id,
      why: this.#why.length > 0 ? this.#why.join("; ") : this.#cause.why,
      changes,
      memory: [...this.#memory].map(([key, value]) => ({ key, value })),
      timers: [...this.#timers.values()],
      commands: this.#commands,
      cancelled: this.#cancelled,
      published: this.#published,
    };
  }

  /** Rule files do not see each other's timers, as they do not see each other's memory. */
  #ownKey(key: string): string {
    return `${this.#compiled.file}/${key}`;
  }

  #arm(key: string, ms: number, { type, version = 1 }: TypeAndVersion, data: unknown): void {
    const due = this.#host.now + wholeMs(ms, `the delay of the timer ${key}`);
    this.#timers.set(key, {
      type: "arm",
      key,
      due,
      event: { type, ...(version === 1 ? {} : { version }), data: plain(data) },
    });
  }

  #isPending(key: string): boolean {
    const own = this.#timers.get(key);
    return own === undefined ? this.#host.timerPending(key) : own.type === "arm";
  }

  #commandContext(): DoContext<Json>["command"] {
    const host = this.#host;
    return {
      start: (service, options) => this.#request(events.ServiceStartRequested, service, options),
      stop: (service, options) => this.#request(events.ServiceStopRequested, service, options),
      restart: (service, options) =>
        this.#request(events.ServiceRestartRequested, service, options),
      send: (node, action, { deadlineMs }) => {
        const id = host.nextCommandId();
        this.#send({ id, node, action, deadlineMs });
        return id;
      },
      cancel: (node, instance, type) => this.#cancel(node, instance, type),
      outstanding: (node) => this.#outstanding(node),
      answered: () => host.answered(),
    };
  }

  #send({ id, node, action, deadlineMs }: Sent): void {
    const { epoch, now } = this.#host;
    const deadline = now + wholeMs(deadlineMs, `the deadline of ${action.type}`);
    this.#commands.push(plain({ id, epoch, node, deadline, action }) as unknown as Command);
  }

  #effects(): Parameters<typeof runProgram>[0] {
    const { job } = this.#cause;
    return {
      view: this.#host.transaction.view,
      asked: { rule: this.#compiled.id, ...(job === undefined ? {} : { key: job }) },
      nextCommandId: () => this.#host.nextCommandId(),
      send: (command) => this.#send(command),
      publish: (event, data) => this.publish(event, data),
      why: (text) => this.why(text),
    };
  }

  #alertContext(): DoContext<Json>["alert"] {
    const { id: rule, file } = this.#compiled;
    const { wallTime, transaction } = this.#host;
    const { view, update } = transaction;
    return alertContext({
      ...{ rule, file, wallTime, view, update },
      publish: (event, data) => this.publish(event, data),
      why: (text) => this.why(text),
    });
  }

  #cancel(node: string, instance: string | undefined, type: CommandType | undefined): void {
    for (const command of this.#outstanding(node)) {
      const { action } = command;
      if (instance !== undefined && action.instance !== instance) continue;
      if (type !== undefined && action.type !== type) continue;
      const own = this.#commands.indexOf(command);
      // One of this firing was never in the outbox: it is as if it had not been sent.
      if (own === -1) this.#cancelled.push(command.id);
      else this.#commands.splice(own, 1);
    }
  }

  #outstanding(node: string): readonly Command[] {
    const own = this.#commands.filter((command) => command.node === node);
    const cancelled = new Set(this.#cancelled);
    return [...this.#host.outstanding(node), ...own].filter(
      (command) => !cancelled.has(command.id),
    );
  }

  #jobContext(): DoContext<Json>["job"] {
    const host = this.#host;
    return {
      start: (rule, data) => {
        const { id, rule: chart } = this.#chart(rule);
        const parsed = chart.requests?.schema.safeParse(data);
        if (parsed === undefined) throw new TypeError(`the rule ${id} takes no requests`);
        if (!parsed.success)
          throw new TypeError(`the rule ${id}: ${z.prettifyError(parsed.error)}`);
        const { job } = this.#cause;
        const from = job === undefined ? {} : { from: { rule: this.#compiled.id, key: job } };
        this.publish(events.JobRequested, { rule: id, data, ...from });
      },
      cancel: (rule, key, reason) => {
        const { id } = this.#chart(rule);
        this.publish(events.JobCancelRequested, { rule: id, key, reason });
      },
      running: (file, version) => Number(host.memory(file, jobCountKey(version)) ?? 0),
    };
  }

  /** A statechart rule in force, by its name in this file or `file/rule`. */
  #chart(name: string) {
    const id = name.includes("/") ? name : `${this.#compiled.file}/${name}`;
    const chart = newestChart(this.#index, id);
    if (chart !== undefined) return chart;
    throw new RangeError(`there is no statechart rule ${id} in force`);
  }

  #request(event: EventType, service: string, options: RequestOptions = {}): void {
    const data = {
      operation: `${this.#host.nextEventId()}-request`,
      service,
      ...(options.on === undefined ? {} : { on: options.on }),
      reason: options.reason ?? `asked for by rule ${this.#compiled.id}`,
    };
    if (options.after === undefined || options.after <= 0) {
      this.#published.push(envelope(this.#host, this.#compiled.id, event, data));
      return;
    }
    this.#requests += 1;
    const key = `${this.#compiled.id}/${event.type}/${service}@${options.on ?? ""}/${this.#requests}`;
    this.#arm(key, options.after, event, data);
  }
}

/** What all conditions of a file see alike. */
export type FileView = Pick<WhereContext<Json, unknown>, "graph" | "memory">;

export function fileView(host: RuleHost, file: string): FileView {
  return {
    graph: ruleGraph(host.transaction.view),
    memory: { get: (key) => host.memory(file, open(key)) ?? undefined },
  };
}

/** What the conditions of one rule see. */
export function whereContext(
  host: RuleHost,
  { graph, memory }: FileView,
  event: EventEnvelope,
  match: unknown,
): WhereContext<Json, unknown> {
  return { match, event: event.data, envelope: event, graph, now: host.now, memory };
}

/** A key as a rule gives it. */
function open(key: string): string {
  if (!key.startsWith(reserved)) return key;
  throw new RangeError(`the key "${key}" begins with ${reserved}; those are Halon's own`);
}

/** Every value is in every snapshot: large ones belong outside of the log. */
function bounded(key: string, value: Json): Json {
  const { length } = JSON.stringify(value);
  if (length <= memoryValueMax) return value;
  throw new RangeError(
    `the value of "${key}" is ${length} characters of JSON, a rule may remember ${memoryValueMax}`,
  );
}

/** An event that a rule publishes. */
export function envelope(
  host: RuleHost,
  rule: string,
  type: { readonly type: string; readonly version: number },
  data: unknown,
): EventEnvelope {
  return {
    id: host.nextEventId(),
    type: type.type,
    version: type.version,
    source: `rule/${rule}`,
    data: plain(data),
  };
}

/** What stays of a rule that threw: the word that it did. */
export function failedFiring(
  compiled: Pick<CompiledRule, "id">,
  event: EventEnvelope,
  host: RuleHost,
  error: unknown,
): Firing {
  const where = host.threw?.(compiled.id, error) ?? null;
  const reason = reasonOf(error, where).slice(0, 4_000);
  return {
    rule: compiled.id,
    why: `the rule threw ${reason}`,
    changes: [],
    memory: [],
    timers: [],
    commands: [],
    cancelled: [],
    published: [
      envelope(host, compiled.id, events.RuleFailed, {
        rule: compiled.id,
        event: event.id,
        reason,
      }),
    ],
  };
}
