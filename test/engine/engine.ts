import {
  builtInRules,
  type CoordinatorState,
  decodeSnapshot,
  emptyState,
  encodeSnapshot,
  fold,
  type Input,
  isInForce,
  type Reply,
  type RuleSet,
  step,
} from "@halon/coordinator/core";
import {
  canonicalJson,
  type Decision,
  type DecisionRecord,
  type EventEnvelope,
  type EventType,
  type Json,
} from "@halon/protocol";
import { indexRules, type Rules, z } from "@halon/rules";

/** What rule files were applied, by name. */
export type Files = Readonly<Record<string, Rules>>;

/**
 * The core of a coordinator with rule files in force, driven by a test alone: it says what comes in and lets time pass.
 *
 * A follower folds the records as the log has them; after each it must have the same state.
 */
export class Engine {
  readonly records: DecisionRecord[] = [];
  state: CoordinatorState = emptyState();
  /** Log time in ms. */
  now = 0;
  #follower: CoordinatorState = emptyState();
  #rules: RuleSet = { index: indexRules([]), declared: new Map() };
  /** By blob. */
  readonly #code = new Map<string, Rules>();
  #asked = 0;
  #observed = 0;

  constructor(files: Files | Rules) {
    this.#load();
    this.observe("ClusterCreated", { cluster: "c1", name: "test" });
    this.apply("rules" in files ? { file: files as Rules } : (files as Files));
  }

  /** `halonctl apply` with these rule files; those that it does not name stay. */
  apply(files: Files): void {
    const rules = Object.entries(files).map(([name, file]) => {
      const blob = (this.#code.size + 1).toString(16).padStart(64, "0");
      this.#code.set(blob, file);
      return { name, blob, ...describe(file) };
    });
    const spec = { types: [], deployments: [], rules, prune: false };
    this.ask("ClusterApplied", { spec: JSON.parse(JSON.stringify(spec)) as Json });
  }

  /** A person asks for something of the cluster. */
  ask(type: string, data: { readonly [member: string]: Json }): Reply | undefined {
    const event = { type, version: 1 } as EventType<string, Json>;
    return this.send(event, { operation: `op-${this.#asked}`, ...data });
  }

  /** An event comes in from outside. */
  send<D>(event: EventType<string, D>, data: D): Reply | undefined {
    return this.sendAll([[event, data as Json]])[0];
  }

  /** Several events come in so close together that they are decided as one record. */
  sendAll(happened: readonly (readonly [EventType<string, never> | EventType, Json])[]) {
    return this.#decide(
      happened.map(([{ type, version }, data]) => {
        this.#asked += 1;
        return { type: "client", id: `e${this.#asked}`, event: { type, version, data } };
      }),
    );
  }

  /** What the tracking node itself sees, or what nobody declared. */
  observe(type: string, data: Json): Reply | undefined {
    this.#observed += 1;
    const event = { type, version: 1, data };
    const source = { source: "tracking", incarnation: 1, sequence: this.#observed } as const;
    return this.#decide([{ type: "numbered", ...source, event }])[0];
  }

  /** Time passes, and what is due is decided when it is. */
  run(ms: number): void {
    const until = this.now + ms;
    for (let due = this.#firstDue(); due <= until; due = this.#firstDue()) {
      this.now = Math.max(this.now, due);
      this.#decide([]);
    }
    this.now = until;
  }

  /** The coordinator dies; the next one has what the log has. */
  die(): void {
    this.state = decodeSnapshot(encodeSnapshot(this.#follower));
    this.#load();
  }

  /** All decisions, in order. */
  get decisions(): readonly Decision[] {
    return this.records.flatMap(({ decisions }) => decisions);
  }

  /** Data of the events of a type, in the order in which they were decided. */
  told<D>({ type }: EventType<string, D>): readonly D[] {
    return this.decisions
      .filter(({ event }) => event.type === type)
      .map(({ event }) => event.data as D);
  }

  /** Why a rule acted, each time that it did; `file/rule`. */
  fired(rule: string): readonly string[] {
    return this.decisions
      .flatMap(({ firings }) => firings)
      .filter((firing) => firing.rule === rule)
      .map(({ why }) => why);
  }

  /** Types of the events that nothing wanted. */
  get dead(): readonly string[] {
    return this.state.deadLetters.map(({ event }: { readonly event: EventEnvelope }) => event.type);
  }

  #decide(inputs: readonly Input[]): readonly Reply[] {
    const stamp = { epoch: 1, logTime: this.now, wallTime: 0 };
    const { record, replies } = step(this.state, this.#rules, inputs, stamp);
    if (record === undefined) return replies;
    const text = canonicalJson(record);
    this.records.push(JSON.parse(text) as DecisionRecord);
    fold(this.#follower, JSON.parse(text) as DecisionRecord);
    if (encodeSnapshot(this.#follower) !== encodeSnapshot(this.state))
      throw new Error(`folding record ${record.index} gives another state`);
    this.#load();
    // What the files that are in force now have to do at once.
    if (this.#firstDue() <= this.now) this.#decide([]);
    return replies;
  }

  #firstDue(): number {
    const { timers, matching } = this.state;
    return Math.min(timers.first()?.due ?? Number.POSITIVE_INFINITY, matching.firstDue);
  }

  /** The rules that the graph names, kept versions included. */
  #load(): void {
    const files = this.state.graph
      .list("RuleFile")
      .filter(({ attributes }) => isInForce(attributes));
    const versions = files.flatMap(({ id: name, attributes: { blob, kept = [] } }) =>
      [blob, ...kept.filter((other) => other !== blob)].map((version) => ({
        name,
        version,
        isKept: version !== blob,
        rules: this.#codeOf(version),
      })),
    );
    const declared = files.flatMap(({ attributes }) => this.#codeOf(attributes.blob).events);
    this.#rules = {
      index: indexRules([{ name: "builtin", rules: builtInRules }, ...versions]),
      declared: new Map(declared.map((event) => [event.type, declaredAs(event)])),
    };
  }

  #codeOf(blob: string): Rules {
    const code = this.#code.get(blob);
    if (code === undefined) throw new Error(`no code was applied as ${blob}`);
    return code;
  }
}

/** What an applied file says of itself. */
function describe({ rules, events, resources }: Rules) {
  return {
    rules: Object.keys(rules),
    events: events.map(({ type, version, from = {} }) => {
      const earlier = Object.keys(from).map(Number);
      return { type, version, schema: {}, ...(earlier.length === 0 ? {} : { from: earlier }) };
    }),
    resources: Object.fromEntries(
      Object.entries(resources).map(([kind, schema]) => [kind, z.toJSONSchema(schema)]),
    ),
    patterns: Object.fromEntries(
      Object.entries(rules).flatMap(([name, { pattern }]) =>
        pattern === undefined ? [] : [[name, pattern.description]],
      ),
    ),
  };
}

/** The type as the cluster knows it: earlier versions are read by what the file says of them. */
function declaredAs({ version, schema, from = {} }: EventType) {
  return { version, schema, older: new Map(Object.keys(from).map((each) => [Number(each), null])) };
}
