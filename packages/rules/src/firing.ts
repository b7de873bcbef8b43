import {
  type Change,
  type Command,
  type EventEnvelope,
  type EventType,
  events,
  type Firing,
  type GraphView,
  type Json,
  type JsonObject,
  type ResourceKey,
  type TimerChange,
} from "@halon/protocol";
import { produce } from "immer";
import type { CompiledRule } from "./compiled.ts";
import type { RuleHost } from "./host.ts";
import type { Match } from "./pattern/match.ts";
import { plain, wholeMs } from "./plain.ts";
import type { DoContext, RequestOptions, RuleGraph, WhereContext } from "./rule.ts";

/** Characters of JSON that a rule may remember under one key. */
const memoryValueMax = 1_048_576;

/** Collects what one rule does with one event. */
export class FiringDraft {
  readonly #compiled: CompiledRule;
  readonly #host: RuleHost;
  readonly #why: string[] = [];
  readonly #memory = new Map<string, Json>();
  readonly #timers = new Map<string, TimerChange>();
  readonly #commands: Command[] = [];
  readonly #cancelled: string[] = [];
  readonly #published: EventEnvelope[] = [];
  readonly #match: Match | null;
  #requests = 0;

  constructor(compiled: CompiledRule, host: RuleHost, match: Match | null) {
    this.#compiled = compiled;
    this.#host = host;
    this.#match = match;
  }

  whereContext(event: EventEnvelope): WhereContext<Json, unknown> {
    const host = this.#host;
    const { pattern } = this.#compiled.rule;
    const match = this.#match === null ? undefined : pattern?.show(this.#match);
    return {
      match,
      event: event.data,
      envelope: event,
      graph: ruleGraph(host.transaction.view),
      now: host.now,
      memory: { get: (key) => this.#recall(key) },
    };
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
      why: this.#why.length > 0 ? this.#why.join("; ") : this.#cause(),
      changes,
      memory: [...this.#memory].map(([key, value]) => ({ key, value })),
      timers: [...this.#timers.values()],
      commands: this.#commands,
      cancelled: this.#cancelled,
      published: this.#published,
    };
  }

  /** What it says when the rule itself says nothing. */
  #cause(): string {
    const { event, pattern } = this.#compiled.rule;
    if (pattern === undefined || this.#match === null) return `on ${event.type}`;
    const { key, since, until } = this.#match;
    const types = [...new Set(pattern.parts.map((part) => part.event.type))].join(", ");
    const of = key === "" ? "" : ` of ${key}`;
    return `on ${pattern.description.type} of ${types}${of}, from ${since} to ${until}`;
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
