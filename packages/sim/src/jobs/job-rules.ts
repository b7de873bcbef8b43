import {
  by,
  defineEvent,
  defineRules,
  effect,
  type JobEvent,
  on,
  type Rules,
  setup,
  statechart,
  z,
} from "@halon/rules";

/** Name of the rule file of the profile `jobs`, and of its statechart. */
export const jobFile = "jobs";
export const jobRule = `${jobFile}/work`;

/** Steps of each job; the effect of each is one event. */
export const stepsOfAJob = 4;

/** Begins a job; `ms`: how long it stays in each of its states. */
export const JobBegins = defineEvent({
  type: "SimJobBegins",
  schema: z.object({ job: z.string(), ms: z.array(z.number().int()) }),
});

/** What a job waits for in its third state, where time leads on too. */
export const JobArrives = defineEvent({
  type: "SimJobArrives",
  schema: z.object({ job: z.string() }),
});

/** The effect of a step. */
export const JobStepped = defineEvent({
  type: "SimJobStepped",
  schema: z.strictObject({ job: z.string(), step: z.number().int() }),
});

interface Context {
  readonly job: string;
  readonly ms: readonly number[];
}

const waitOf =
  (state: number) =>
  ({ context }: { readonly context: Context }): number =>
    context.ms[state] ?? 1;

const machine = setup({
  types: {
    context: {} as Context,
    input: {} as JobEvent<typeof JobBegins>,
    events: {} as JobEvent<typeof JobBegins | typeof JobArrives>,
    output: {} as { readonly steps: number },
  },
  actions: { step: (_, _params: { readonly step: number }) => effect() },
  delays: { first: waitOf(0), second: waitOf(1), third: waitOf(2), fourth: waitOf(3) },
}).createMachine({
  context: ({ input }) => ({ job: input.data.job, ms: input.data.ms }),
  initial: "preparing",
  output: { steps: stepsOfAJob },
  states: {
    preparing: {
      meta: { defer: [JobArrives.type] },
      entry: { type: "step", params: { step: 1 } },
      after: { first: "ordering" },
    },
    ordering: {
      meta: { defer: [JobArrives.type] },
      entry: { type: "step", params: { step: 2 } },
      after: { second: "waiting" },
    },
    waiting: {
      entry: { type: "step", params: { step: 3 } },
      on: { [JobArrives.type]: "installing" },
      after: { third: "installing" },
    },
    installing: { entry: { type: "step", params: { step: 4 } }, after: { fourth: "over" } },
    over: { type: "final" },
  },
});

/** The rule file of the profile `jobs`: a statechart of four states with delays, and a count of its effects. */
export const jobRules: Rules = defineRules(
  {
    work: statechart({
      on: [by(JobBegins, ({ job }) => job), by(JobArrives, ({ job }) => job)],
      starts: [JobBegins],
      machine,
      effects: {
        step: ({ context, params, publish }) =>
          publish(JobStepped, { job: context.job, step: params.step }),
      },
    }),
    tally: on(JobStepped).do(({ memory }) => {
      memory.set("steps", Number(memory.get("steps") ?? 0) + 1);
    }),
  },
  { events: [JobStepped] },
);
