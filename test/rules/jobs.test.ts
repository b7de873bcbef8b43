import {
  assign,
  awaited,
  by,
  defineEvent,
  defineRules,
  effect,
  type events,
  type JobCancel,
  type JobEvent,
  type JobRequest,
  on,
  setup,
  statechart,
  z,
} from "@halon/rules";
import { golden, type Table } from "./golden.ts";
import type { Step } from "./stage.ts";

const schema = z.strictObject({ of: z.string(), n: z.number() });
const Begin = defineEvent({ type: "Begin", schema });
const Go = defineEvent({ type: "Go", schema });
const Ask = defineEvent({ type: "Ask", schema });
const Hang = defineEvent({ type: "Hang", schema });
const Break = defineEvent({ type: "Break", schema });
const StopAll = defineEvent({ type: "StopAll", schema });
const Told = defineEvent({ type: "Told", schema: z.strictObject({ says: z.string() }) });
const of = (event: { readonly of: string }): string => event.of;

/** Puts `Go` off for 10 s, then takes it until one is big enough, for 30 s at most. */
const working = setup({
  types: {
    context: {} as { sum: number },
    input: {} as JobEvent<typeof Begin> | JobRequest<{ readonly of: string }>,
    events: {} as JobEvent<typeof Begin | typeof Go> | JobCancel,
  },
  actions: {
    tell: (_, _params: { says: string }) => effect(),
    add: assign({
      sum: ({ context, event }) => context.sum + (event.type === "Go" ? event.data.n : 0),
    }),
  },
  guards: { isBig: ({ event }) => event.type === "Go" && event.data.n > 5 },
}).createMachine({
  context: { sum: 0 },
  initial: "waiting",
  states: {
    waiting: {
      meta: { defer: ["Go"] },
      entry: { type: "tell", params: { says: "waits" } },
      after: { 10000: "working" },
    },
    working: {
      entry: { type: "tell", params: { says: "works" } },
      on: {
        Go: [{ guard: "isBig", target: "done", actions: "add" }, { actions: "add" }],
        cancel: "stopping",
      },
      after: { 30000: "given up" },
    },
    stopping: { after: { 1000: "done" } },
    done: { type: "final", entry: { type: "tell", params: { says: "ends" } } },
    "given up": { type: "final", tags: "failed" },
  },
});

/** Asks for `work`, and waits for its end. */
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
  states: {
    asking: { entry: "ask", on: { JobEnded: "done" }, after: { 3600000: "late" } },
    done: { type: "final" },
    late: { type: "final", tags: "failed" },
  },
});

const hanging = setup({
  types: { input: {} as JobEvent<typeof Hang>, events: {} as JobEvent<typeof Hang> },
}).createMachine({
  initial: "hanging",
  states: { hanging: { after: { 86400000: "done" } }, done: { type: "final" } },
});

const breaking = setup({
  types: { input: {} as JobEvent<typeof Break>, events: {} as JobEvent<typeof Break> },
  actions: { fail: effect },
}).createMachine({
  initial: "failing",
  states: { failing: { entry: "fail", after: { 1000: "done" } }, done: { type: "final" } },
});

const rules = defineRules(
  {
    work: statechart({
      on: [by(Begin, of), by(Go, of)],
      starts: [Begin],
      requests: { schema: z.strictObject({ of: z.string() }), by: of },
      machine: working,
      effects: {
        tell: ({ key, params, context, publish }) =>
          publish(Told, { says: `${key} ${params.says} ${context.sum}` }),
      },
    }),
    ask: statechart({
      on: [by(Ask, ({ of: key, n }) => `${key}-${n}`), awaited],
      starts: [Ask],
      machine: asking,
      effects: { ask: ({ context, job }) => job.start("work", { of: context.of }) },
    }),
    hang: statechart({ on: [by(Hang, of)], starts: [Hang], machine: hanging, deadline: "1m" }),
    break: statechart({
      on: [by(Break, of)],
      starts: [Break],
      machine: breaking,
      effects: {
        fail: ({ publish }) => {
          publish(Told, { says: "this is undone" });
          throw new Error("it cannot");
        },
      },
    }),
    stop: on(StopAll).do(({ event, job }) => job.cancel("work", event.of, "a rule says so")),
  },
  { events: [Told] },
);

const table: Table = { files: { jobs: rules }, of: "jobs" };

const send =
  (type: string) =>
  (key: string, n = 1): Step => [type, { of: key, n }];
const begin = send("Begin");
const go = send("Go");
const ask = send("Ask");
const request: Step = ["JobRequested", { rule: "jobs/work", data: { of: "x" } }];
const waits = "Told x waits 0";

golden("a job", table, [
  ["begins with an event that starts it", [begin("x")], { fires: "work", tells: waits }],
  [
    "goes on when its delay has passed",
    [begin("x"), 9_999, "watch", 1],
    { tells: "Told x works 0" },
  ],
  ["goes on not before", [begin("x"), "watch", 9_999], { tells: "" }],
  ["is joined by an event that would start another", [begin("x"), begin("x")], { tells: waits }],
  ["is one for each key", [begin("x"), begin("y")], { tells: `${waits}, Told y waits 0` }],
  [
    "begins anew when the last has ended",
    [begin("x"), 10_000, go("x", 9), "watch", begin("x")],
    { tells: waits },
  ],
  [
    "takes an event that its state waits for",
    [begin("x"), 10_000, go("x", 2), "watch", go("x", 9)],
    { tells: "Told x ends 11, JobEnded x done" },
  ],
  [
    "takes no event of another key",
    [begin("x"), 10_000, "watch", go("y", 9)],
    { fires: "", tells: "" },
  ],
  [
    "takes an event that it put off when it can",
    [begin("x"), go("x", 9), "watch", 10_000],
    { tells: "Told x works 0, Told x ends 9, JobEnded x done" },
  ],
  [
    "takes what it put off in its order",
    [begin("x"), go("x", 1), go("x", 9), go("x", 2), "watch", 10_000],
    { tells: "Told x works 0, Told x ends 10, JobEnded x done" },
  ],
  [
    "fails in a state that says so",
    [begin("x"), 40_000],
    { tells: `${waits}, Told x works 0, JobEnded x failed` },
  ],
  ["begins by a request of a person", [request], { fires: "work", tells: waits }],
  ["is joined by a request", [begin("x"), "watch", request], { tells: "" }],
  [
    "is not begun by an event that is not among those that start it",
    [go("x", 9)],
    { fires: "", tells: "" },
  ],
  [
    "that has ended hears nothing",
    [begin("x"), 10_000, go("x", 9), "watch", go("x", 9), 60_000],
    { tells: "" },
  ],
]);

golden("a job that is cancelled", table, [
  [
    "ends at once where its state does not wait for that",
    [begin("x"), "watch", "cancel jobs/work x"],
    { tells: "JobEnded x cancelled" },
  ],
  [
    "ends by itself where it does",
    [begin("x"), 10_000, "watch", "cancel jobs/work x", 999],
    { tells: "" },
  ],
  [
    "ends by itself, and was cancelled all the same",
    [begin("x"), 10_000, "watch", "cancel jobs/work x", 1_000],
    { tells: "Told x ends 0, JobEnded x cancelled" },
  ],
  [
    "may be cancelled by a rule",
    [begin("x"), "watch", ["StopAll", { of: "x", n: 0 }]],
    { tells: "JobCancelRequested, JobEnded x cancelled" },
  ],
  [
    "leaves no timer behind",
    [begin("x"), "cancel jobs/work x", "watch", 3_600_000],
    { fires: "", tells: "" },
  ],
  ["is nothing when there is none", ["cancel jobs/work x"], { tells: "" }],
  [
    "is not another key's",
    [begin("x"), begin("y"), "watch", "cancel jobs/work x"],
    { tells: "JobEnded x cancelled" },
  ],
]);

golden("every job ends", table, [
  [
    "at its deadline",
    [["Hang", { of: "x", n: 1 }], 59_999, "watch", 1],
    { tells: "JobEnded x timedOut" },
  ],
  ["not before", [["Hang", { of: "x", n: 1 }], 59_999], { tells: "" }],
  [
    "when an effect throws, and what that step did is undone",
    [["Break", { of: "x", n: 1 }]],
    { tells: "RuleFailed, JobEnded x failed", throws: 1 },
  ],
]);

golden("a job that asks for another", table, [
  [
    "goes on with its end",
    [ask("x"), 10_000, "watch", go("x", 9)],
    { tells: "Told x ends 9, JobEnded x done, JobEnded x-1 done" },
  ],
  [
    "shares it with who asked for the same",
    [ask("x", 1), ask("x", 2)],
    { tells: `JobRequested, ${waits}, JobRequested` },
  ],
  [
    "is told together with the others",
    [ask("x", 1), ask("x", 2), 10_000, "watch", go("x", 9)],
    { tells: "Told x ends 9, JobEnded x done, JobEnded x-1 done, JobEnded x-2 done" },
  ],
  [
    "does not wait for a stranger's",
    [ask("x"), begin("y"), "watch", "cancel jobs/work y"],
    { tells: "JobEnded y cancelled" },
  ],
  [
    "hears that it was cancelled, too",
    [ask("x"), "watch", "cancel jobs/work x"],
    { tells: "JobEnded x cancelled, JobEnded x-1 done" },
  ],
]);
