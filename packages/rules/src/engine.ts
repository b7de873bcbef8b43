import {
  builtInEvents,
  type Change,
  type Command,
  type EventEnvelope,
  type EventType,
  events,
  type Firing,
  type GraphUpdate,
  type GraphView,
  type Json,
  type JsonObject,
  type ResourceKey,
  type TimerChange,
} from "@halon/protocol";
import { produce } from "immer";
import { plain, reasonOf, wholeMs } from "./plain.ts";
import type { DoContext, RequestOptions, Rule, RuleGraph, Rules, WhereContext } from "./rule.ts";

/** An open transaction of the graph: what a firing did alone can be read, and undone. */
export interface RuleTransaction {
  readonly view: GraphView;
  readonly update: GraphUpdate;
  savepoint(): number;
  rollbackTo(savepoint: number): void;
  changesSince(savepoint: number): readonly Change[];
}

/** What the coordinator's state offers to rules while it decides one event. */
export interface RuleHost {
  readonly transaction: RuleTransaction;
  /** Log time in ms. */
  readonly now: number;
  readonly wallTime: number;
  readonly epoch: number;
  memory(file: string, key: string): Json | undefined;
  timerPending(key: string): boolean;
  outstanding(node: string): readonly Command[];
  /** The command that the event at hand answers. */
  answered(): Command | undefined;
  nextCommandId(): string;
  nextEventId(): string;
  /** Whose code runs from now on; null: none. So that a file that never returns can be named from outside. */
  running(file: string | null): void;
  /** Throws a RangeError when the firing of the file would leave more waiting than the log may hold. */
  admit(file: string, firing: Pick<Firing, "timers" | "commands">): void;
  /** Takes over what a rule did, so that the next rule sees it. */
  fired(firing: Firing): void;
}

/** Characters of JSON that a rule may remember under one key. */
const memoryValueMax = 1_048_576;

interface CompiledRule {
  readonly id: string;
  readonly file: string;
  readonly rule: Rule;
}

/** Rules by type of event, in the order in which they act. */
export interface RuleIndex {
  readonly byEvent: ReadonlyMap<string, readonly CompiledRule[]>;
}

/** Indexes rule files. Files act in the order given, and their rules in the order they stand in. */
export function indexRules(
  files: readonly { readonly name: string; readonly rules: Rules }[],
): RuleIndex {
  const byEvent = new Map<string, CompiledRule[]>();
  for (const { name, rules } of files) {
    for (const [ruleName, rule] of Object.entries(rules.rules)) {
      const list = byEvent.get(rule.event.type) ?? [];
      list.push({ id: `${name}/${ruleName}`, file: name, rule });
      byEvent.set(rule.event.type, list);
    }
  }
  return { byEvent };
}

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
  const rules = index.byEvent.get(event.type) ?? [];
  const firings: Firing[] = [];
  for (const rule of rules) {
    host.running(rule.file);
    const firing = fire(rule, event, host);
    host.running(null);
    if (firing === null) continue;
    host.fired(firing);
    firings.push(firing);
  }
  return { firings, dead: firings.length > 0 ? null : deadReason(event, rules.length) };
}

function deadReason(event: EventEnvelope, ruleCount: number): string | null {
  const builtIn = builtInEvents[event.type as keyof typeof builtInEvents];
  if (builtIn?.sentBy === "rule") return null;
  return ruleCount === 0
    ? `no rule is on ${event.type}`
    : `no condition of the ${ruleCount} rules on ${event.type} held`;
}

function fire(compiled: CompiledRule, event: EventEnvelope, host: RuleHost): Firing | null {
  const { transaction } = host;
  const savepoint = transaction.savepoint();
  const draft = new FiringDraft(compiled, host);
  try {
    const where = draft.whereContext(event);
    if (!compiled.rule.conditions.every((condition) => condition(where as WhereContext<never>)))
      return null;
    const returned: unknown = compiled.rule.action(draft.doContext(where) as DoContext<never>);
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

function failedFiring(
  compiled: CompiledRule,
  event: EventEnvelope,
  host: RuleHost,
  error: unknown,
): Firing {
  const reason = reasonOf(error).slice(0, 4_000);
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

function envelope(
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

/** Collects what one rule does with one event. */
class FiringDraft {
  readonly #compiled: CompiledRule;
  readonly #host: RuleHost;
  readonly #why: string[] = [];
  readonly #memory = new Map<string, Json>();
  readonly #timers = new Map<string, TimerChange>();
  readonly #commands: Command[] = [];
  readonly #cancelled: string[] = [];
  readonly #published: EventEnvelope[] = [];
  #requests = 0;

  constructor(compiled: CompiledRule, host: RuleHost) {
    this.#compiled = compiled;
    this.#host = host;
  }

  whereContext(event: EventEnvelope): WhereContext<Json> {
    const host = this.#host;
    return {
      event: event.data,
      envelope: event,
      graph: ruleGraph(host.transaction.view),
      now: host.now,
      memory: { get: (key) => this.#recall(key) },
    };
  }

  doContext(where: WhereContext<Json>): DoContext<Json> {
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
        get: (key) => this.#recall(key),
        set: (key, value) => void this.#memory.set(key, bounded(key, plain(value))),
      },
      command: this.#commandContext(),
      timer: {
        after: (key, ms, event, data) => this.#arm(this.#ownKey(key), ms, event, data),
        cancel: (key) => {
          const own = this.#ownKey(key);
          this.#timers.set(own, { type: "disarm", key: own });
        },
        pending: (key) => this.#isPending(this.#ownKey(key)),
      },
      publish: (event, data) =>
        void this.#published.push(envelope(host, this.#compiled.id, event, data)),
      why: (text) => void this.#why.push(text),
    };
  }

  finish(changes: readonly Change[]): Firing {
    return {
      rule: this.#compiled.id,
      why: this.#why.length > 0 ? this.#why.join("; ") : `on ${this.#compiled.rule.event.type}`,
      changes,
      memory: [...this.#memory].map(([key, value]) => ({ key, value })),
      timers: [...this.#timers.values()],
      commands: this.#commands,
      cancelled: this.#cancelled,
      published: this.#published,
    };
  }

  #recall(key: string): Json | undefined {
    const own = this.#memory.get(key);
    const value = own === undefined ? this.#host.memory(this.#compiled.file, key) : own;
    return value === null ? undefined : value;
  }

  /** Rule files do not see each other's timers, as they do not see each other's memory. */
  #ownKey(key: string): string {
    return `${this.#compiled.file}/${key}`;
  }

  #arm(key: string, ms: number, event: { readonly type: string }, data: unknown): void {
    const due = this.#host.now + wholeMs(ms, `the delay of the timer ${key}`);
    this.#timers.set(key, {
      type: "arm",
      key,
      due,
      event: { type: event.type, data: plain(data) },
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
        const command = {
          id,
          epoch: host.epoch,
          node,
          deadline: host.now + wholeMs(deadlineMs, `the deadline of ${action.type}`),
          action,
        };
        this.#commands.push(plain(command) as unknown as Command);
        return id;
      },
      cancel: (node, instance) => this.#cancel(node, instance),
      outstanding: (node) => this.#outstanding(node),
      answered: () => host.answered(),
    };
  }

  #cancel(node: string, instance: string | undefined): void {
    for (const command of this.#outstanding(node)) {
      if (instance !== undefined && command.action.instance !== instance) continue;
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

/** Adds the questions of RuleGraph to a view. */
export function ruleGraph(view: GraphView): RuleGraph {
  return {
    get revision() {
      return view.revision;
    },
    get: (kind, id) => view.get(kind, id),
    list: (kind, where) => view.list(kind, where),
    out: (from, name, kind) => view.out(from, name, kind),
    in: (to, name, kind) => view.in(to, name, kind),
    related: (from, name, to) => view.related(from, name, to),
    relations: (key) => view.relations(key),
    wants: (instance) => {
      const key: ResourceKey = `ServiceInstance/${instance}`;
      const slot = view.out(key, "holds", "ServiceName")[0];
      if (
        slot === undefined ||
        slot.attributes.halted === true ||
        slot.attributes.broken !== undefined
      )
        return false;
      return view.out(`ServiceName/${slot.id}`, "wants", "Service").length > 0;
    },
  };
}

/** Every value is in every snapshot: large ones belong outside of the log. */
function bounded(key: string, value: Json): Json {
  const { length } = JSON.stringify(value);
  if (length <= memoryValueMax) return value;
  throw new RangeError(
    `the value of "${key}" is ${length} characters of JSON, a rule may remember ${memoryValueMax}`,
  );
}
