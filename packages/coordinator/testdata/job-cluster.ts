import {
  canonicalJson,
  type DecisionRecord,
  defineEvent,
  type events,
  type Json,
} from "@halon/protocol";
import {
  assign,
  awaited,
  by,
  defineRules,
  effect,
  indexRules,
  type JobCancel,
  type JobEvent,
  type JobRequest,
  type Rules,
  setup,
  statechart,
  z,
} from "@halon/rules";
import { fold } from "../src/core/fold.ts";
import { decodeSnapshot, encodeSnapshot } from "../src/core/snapshot.ts";
import { type CoordinatorState, emptyState, firstDue } from "../src/core/state.ts";
import { type RuleSet, step } from "../src/core/step.ts";

export const schema = z.strictObject({ of: z.string(), n: z.number() });
export const Begin = defineEvent({ type: "Begin", schema });
export const Go = defineEvent({ type: "Go", schema });
export const Ask = defineEvent({ type: "Ask", schema });
export const Told = defineEvent({ type: "Told", schema: z.strictObject({ text: z.string() }) });

type Of = { readonly of: string };
const of = (event: Of) => event.of;

/** Waits 20 ms, while `Go` is put off; then takes `Go` until one is big enough, for 30 ms at most. */
const machine = setup({
  types: {
    context: {} as { sum: number },
    input: {} as JobEvent<typeof Begin> | JobRequest<Of>,
    events: {} as JobEvent<typeof Begin | typeof Go> | JobCancel,
    output: {} as { sum: number },
  },
  actions: {
    tell: (_, _params: { text: string }) => effect(),
    add: assign({
      sum: ({ context, event }) => context.sum + (event.type === "Go" ? event.data.n : 0),
    }),
  },
  guards: { isBig: ({ event }) => event.type === "Go" && event.data.n > 5 },
}).createMachine({
  context: ({ input }) => ({ sum: input.type === "Begin" ? input.data.n : 0 }),
  initial: "waiting",
  output: ({ context }) => ({ sum: context.sum }),
  states: {
    waiting: {
      meta: { defer: ["Go"] },
      entry: { type: "tell", params: { text: "waits" } },
      after: { 20: "working" },
    },
    working: {
      entry: { type: "tell", params: { text: "works" } },
      after: { 30: "given up" },
      on: {
        Go: [{ guard: "isBig", target: "done", actions: "add" }, { actions: "add" }],
        cancel: "stopping",
      },
    },
    stopping: { after: { 10: "done" } },
    done: { type: "final" },
    "given up": { type: "final", tags: "failed" },
  },
});

export const work = statechart({
  on: [by(Begin, of), by(Go, of)],
  starts: [Begin],
  requests: { schema: z.strictObject({ of: z.string() }), by: of },
  machine,
  effects: {
    tell: ({ key, params, context, publish }) =>
      publish(Told, { text: `${key} ${params.text} ${context.sum}` }),
  },
  deadline: 200,
});

/** Rule files in force. */
export function setOf(
  files: readonly { name: string; version?: string; isKept?: boolean; rules: Rules }[],
) {
  return {
    index: indexRules(files),
    declared: new Map([Begin, Go, Ask].map(({ type, version }) => [type, { version, schema }])),
  } satisfies RuleSet;
}

export const workRules = defineRules({ work }, { events: [Told] });

/** A coordinator, and a follower that folds what it appends. */
export class Cluster {
  rules: RuleSet;
  state: CoordinatorState = emptyState();
  follower: CoordinatorState = emptyState();
  readonly records: DecisionRecord[] = [];
  now = 0;
  #sent = 0;

  constructor(rules: Rules | RuleSet = workRules) {
    this.rules = "index" in rules ? rules : setOf([{ name: "file", rules }]);
  }

  send(type: string, data: Json): void {
    this.#sent += 1;
    this.#step([{ type: "client", id: `e${this.#sent}`, event: { type, version: 1, data } }]);
  }

  /** Time passes; nobody looks before it is over. */
  pass(ms: number): void {
    this.now += ms;
    this.#step([]);
  }

  /** Time passes, and what is due is decided when it is. */
  run(ms: number): void {
    const until = this.now + ms;
    for (let due = firstDue(this.state); due <= until; due = firstDue(this.state)) {
      this.now = Math.max(this.now, due);
      this.#step([]);
    }
    this.now = until;
  }

  /** The coordinator dies; the next one has what is durable. */
  die(): void {
    this.state = decodeSnapshot(encodeSnapshot(this.follower));
  }

  told(type: string = Told.type): readonly { readonly [name: string]: Json }[] {
    return this.records
      .flatMap(({ decisions }) => decisions.map(({ event }) => event))
      .filter((event) => event.type === type)
      .map(({ data }) => data as { readonly [name: string]: Json });
  }

  get ends() {
    return this.told("JobEnded");
  }

  #step(inputs: Parameters<typeof step>[2]): void {
    const stamp = { epoch: 1, logTime: this.now, wallTime: 0 };
    const { record } = step(this.state, this.rules, inputs, stamp);
    if (record === undefined) return;
    this.records.push(record);
    fold(this.follower, JSON.parse(canonicalJson(record)));
  }
}

/** Asks for a job, and waits for its end. */
const asking = setup({
  types: {
    context: {} as { of: string },
    input: {} as JobEvent<typeof Ask>,
    events: {} as JobEvent<typeof Ask | typeof events.JobEnded>,
  },
  actions: { ask: effect },
}).createMachine({
  context: ({ input }) => ({ of: input.data.of }),
  initial: "asking",
  output: ({ context }) => context.of,
  states: {
    asking: { entry: "ask", on: { JobEnded: "done" }, after: { "150": "late" } },
    done: { type: "final" },
    late: { type: "final", tags: "failed" },
  },
});
export const askRules = defineRules(
  {
    work,
    ask: statechart({
      on: [by(Ask, ({ of: key, n }) => `${key}-${n}`), awaited],
      starts: [Ask],
      machine: asking,
      effects: { ask: ({ context, job }) => job.start("work", { of: context.of }) },
    }),
  },
  { events: [Told] },
);
