/** Scenarios on jobs beside each other, and one after the other; the table is in README.md. */
import {
  assign,
  by,
  defineEvent,
  defineRules,
  effect,
  events,
  type JobEvent,
  type JobRequest,
  on,
  type Rules,
  setup,
  statechart,
  z,
} from "@halon/rules";
import { expect, test } from "vitest";
import { a, Begin, ends, No, of, Said, said, Yes } from "./charts.ts";
import { Engine } from "./engine.ts";

interface Asks {
  readonly of: string;
  readonly n: number;
}

const asks = { schema: z.strictObject({ of: z.string(), n: z.number() }), by: of };

/** Takes Yes until one is big, adding all up; for 10 s at most. */
const adding = setup({
  types: {
    context: {} as { sum: number },
    input: {} as JobEvent<typeof Begin> | JobRequest<Asks>,
    events: {} as JobEvent<typeof Begin | typeof Yes>,
    output: {} as number,
  },
  actions: {
    say: effect,
    add: assign({
      sum: ({ context, event }) => context.sum + (event.type === "Yes" ? event.data.n : 0),
    }),
  },
  guards: { isBig: ({ event }) => event.type === "Yes" && event.data.n > 5 },
}).createMachine({
  context: ({ input }) => ({ sum: input.data.n }),
  initial: "adds",
  output: ({ context }) => context.sum,
  states: {
    adds: {
      on: {
        Yes: [
          { guard: "isBig", target: "over", actions: ["add", "say"] },
          { actions: ["add", "say"] },
        ],
      },
      after: { 10000: "over" },
    },
    over: { type: "final" },
  },
});

const work = statechart({
  on: [by(Begin, of), by(Yes, of)],
  starts: [Begin],
  requests: asks,
  machine: adding,
  effects: {
    say: ({ key, context, publish, update, graph }) => {
      const before = graph.get<string>("Total", "all")?.attributes as { n: number } | undefined;
      update.put<string>("Total", "all", { n: (before?.n ?? 0) + 1 });
      publish(Said, { text: `${key} ${context.sum}, change ${(before?.n ?? 0) + 1}` });
    },
  },
});
const declares = { events: [Said], resources: { Total: z.strictObject({ n: z.number() }) } };
const working: Rules = defineRules({ work }, declares);

/** How many jobs of the file run. */
function running({ state }: Engine): number {
  const keys = [...(state.memories.get("file")?.keys() ?? [])];
  return keys.filter((key) => key.startsWith("@job/")).length;
}

test("2: the graph is one for all jobs and files, the memory one for all rules of a file", () => {
  const note = (what: string) =>
    on(No).do(({ memory, publish }) => {
      publish(Said, { text: `${what} ${memory.get("last") ?? "nothing"}` });
      memory.set("last", what);
    });
  const engine = new Engine({
    file: working,
    notes: defineRules({ first: note("first"), second: note("second") }, declares),
    others: defineRules({ third: note("third") }, declares),
  });
  for (const key of ["a", "b"]) {
    engine.send(Begin, a(0, key));
    engine.send(Yes, a(1, key));
  }
  engine.send(No, a());
  expect(said(engine)).toEqual([
    ...["a 1, change 1", "b 1, change 2"],
    ...["first nothing", "second first", "third nothing"],
  ]);
});

test("3: what changes in a job stays in it", () => {
  const engine = new Engine(working);
  for (const key of ["a", "b"]) engine.send(Begin, a(1, key));
  engine.send(Yes, a(2, "a"));
  engine.send(Yes, a(9, "b"));
  engine.send(Yes, a(9, "a"));
  expect(ends(engine)).toEqual(["b: done 10", "a: done 12"]);
});

test("10: what an effect that throws has done to the graph is undone; its job has failed, and says so", () => {
  const machine = setup({
    types: { events: {} as JobEvent<typeof Begin | typeof Yes> },
    actions: { act: effect },
  }).createMachine({
    initial: "waits",
    states: {
      waits: { on: { Yes: { target: "over", actions: "act" } }, after: { 1000: "over" } },
      over: { type: "final" },
    },
  });
  const wrong = statechart({
    on: [by(Begin, of), by(Yes, of)],
    starts: [Begin],
    machine,
    effects: {
      act: ({ update, memory }) => {
        update.put<string>("Thing", "t", {});
        memory.set("m", 1);
        throw new Error("on purpose");
      },
    },
  });
  const resources = { Thing: z.strictObject({}) };
  const engine = new Engine(defineRules({ wrong }, { resources }));
  engine.send(Begin, a());
  engine.send(Yes, a());
  expect(engine.state.graph.get<string>("Thing", "t")).toBeUndefined();
  expect([...(engine.state.memories.get("file") ?? [])]).toEqual([]);
  expect(ends(engine)).toEqual(["a: failed"]);
  expect(engine.told(events.RuleFailed)).toMatchObject([
    { reason: expect.stringContaining("on purpose") },
  ]);
});

test("15: two keys are two jobs that live side by side", () => {
  const engine = new Engine(working);
  engine.send(Begin, a(0, "a"));
  expect(running(engine)).toBe(1);
  engine.send(Begin, a(0, "b"));
  expect(running(engine)).toBe(2);
  engine.send(Begin, a(0, "b"));
  expect(running(engine)).toBe(2);
});

/** A job that starts another with what it knows, and ends at once. */
const parent = statechart({
  on: [by(No, of)],
  starts: [No],
  machine: setup({
    types: {
      context: {} as Asks,
      input: {} as JobEvent<typeof No>,
      events: {} as JobEvent<typeof No>,
    },
    actions: { start: effect },
  }).createMachine({
    context: ({ input }) => input.data,
    initial: "over",
    states: { over: { type: "final", entry: "start" } },
  }),
  effects: { start: ({ context, job }) => job.start("work", { of: context.of, n: context.n + 1 }) },
});

test("16: a job that another starts gets what that one gives it, and goes its own way", () => {
  const engine = new Engine(defineRules({ parent, work }, declares));
  engine.send(No, a(4));
  engine.send(Yes, a(9));
  expect(engine.told(events.JobEnded)).toMatchObject([
    { rule: "file/parent", outcome: "done" },
    { rule: "file/work", outcome: "done", output: 14 },
  ]);
});

/** Puts Yes off until No comes. */
const patient = statechart({
  on: [by(Begin, of), by(Yes, (event) => event.of.split("+")), by(No, of)],
  starts: [Begin],
  machine: setup({
    types: {
      context: {} as { sum: number },
      events: {} as JobEvent<typeof Begin | typeof Yes | typeof No>,
      output: {} as number,
    },
    actions: { add: assign({ sum: ({ context, event }) => context.sum + event.data.n }) },
  }).createMachine({
    context: { sum: 0 },
    initial: "busy",
    output: ({ context }) => context.sum,
    states: {
      busy: { meta: { defer: ["Yes"] }, on: { No: "free" }, after: { 5000: "free" } },
      free: { on: { Yes: { target: "over", actions: "add" } }, after: { 5000: "over" } },
      over: { type: "final" },
    },
  }),
});

test("17: an event for several keys is there for each of their jobs, once; what a job has put off stays its own", () => {
  const engine = new Engine(defineRules({ patient }));
  for (const key of ["a", "b"]) engine.send(Begin, a(0, key));
  engine.send(Yes, a(3, "a+b"));
  engine.send(Begin, a(0, "c"));
  for (const key of ["a", "b", "c"]) engine.send(No, a(0, key));
  engine.run(5_000);
  expect(ends(engine)).toEqual(["a: done 3", "b: done 3", "c: done 0"]);
});

test("18: a job of one rule begins none of another, whatever its key", () => {
  const engine = new Engine(
    defineRules({ work, patient: { ...patient, starts: new Set<string>() } }, declares),
  );
  engine.send(Begin, a());
  expect(running(engine)).toBe(1);
  expect([...(engine.state.memories.get("file")?.keys() ?? [])]).toContain("@job/work/a");
});

test("19: a service: each request is a job of its own, and more are taken while they run", () => {
  const engine = new Engine(working);
  const request = (n: number) =>
    engine.send(events.JobRequested, { rule: "file/work", data: { of: `k${n}`, n } });
  for (let n = 0; n < 10; n += 1) request(n);
  expect(running(engine)).toBe(10);
  engine.send(Yes, a(10, "k3"));
  request(10);
  expect(running(engine)).toBe(10);
  for (const n of [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]) engine.send(Yes, a(10, `k${n}`));
  expect(ends(engine)).toHaveLength(11);
  expect(ends(engine)[0]).toBe("k3: done 13");
});

test("20: what a job has taken does not come again, not to the next job of its key either", () => {
  const engine = new Engine(defineRules({ patient }));
  const round = () => {
    engine.send(Begin, a());
    engine.send(No, a());
    engine.run(5_000);
  };
  engine.send(Begin, a());
  engine.send(Yes, a(3));
  engine.send(No, a());
  round();
  expect(ends(engine)).toEqual(["a: done 3", "a: done 0"]);
});

test("21: a job does not see what came before it began", () => {
  const engine = new Engine(defineRules({ patient }));
  engine.send(Yes, a(3));
  engine.send(Begin, a());
  engine.send(No, a());
  engine.run(5_000);
  expect(ends(engine)).toEqual(["a: done 0"]);
  expect(engine.dead).toContain("Yes");
});

test("37: delays of two jobs are over in the order of their times, not of their begins", () => {
  const machine = setup({
    types: {
      context: {} as { ms: number },
      input: {} as JobEvent<typeof Begin>,
      events: {} as JobEvent<typeof Begin>,
    },
    delays: { given: ({ context }) => context.ms },
  }).createMachine({
    context: ({ input }) => ({ ms: input.data.n }),
    initial: "waits",
    states: { waits: { after: { given: "over" } }, over: { type: "final" } },
  });
  const sleeper = statechart({ on: [by(Begin, of)], starts: [Begin], machine });
  const engine = new Engine(defineRules({ sleeper }));
  engine.send(Begin, a(4_000, "four"));
  engine.send(Begin, a(2_000, "two"));
  engine.run(2_000);
  expect(ends(engine)).toEqual(["two: done"]);
  engine.die();
  engine.run(2_000);
  expect(ends(engine)).toEqual(["two: done", "four: done"]);
});

test("42: an event is in the log as it came; the next coordinator and every follower read the same", () => {
  const Rich = defineEvent({
    type: "Rich",
    schema: z.strictObject({ text: z.string(), list: z.array(z.number().nullable()) }),
  });
  const data = { text: 'ä "quoted"\u0000', list: [1.5, null, -3] };
  const engine = new Engine(
    defineRules({
      keep: on(Rich).do(({ event, memory }) => memory.set("rich", event)),
    }),
  );
  engine.send(Rich, data);
  engine.die();
  expect(engine.told(Rich)).toEqual([data]);
  expect(engine.state.memories.get("file")?.get("rich")).toEqual(data);
});

test("42: an event of an earlier version is read as the present one; one of a version that nobody knows is refused", () => {
  const Sized = defineEvent({
    type: "Sized",
    version: 2,
    schema: z.strictObject({ bytes: z.number() }),
    from: { 1: (old: { readonly kib: number }) => ({ bytes: old.kib * 1_024 }) },
  });
  const engine = new Engine(
    defineRules({ keep: on(Sized).do(({ event, why }) => why(`${event.bytes} bytes`)) }),
  );
  const replies = engine.sendAll([
    [{ ...Sized, version: 1 }, { kib: 2 }],
    [{ ...Sized, version: 3 }, { bytes: 1 }],
  ]);
  expect(engine.fired("file/keep")).toEqual(["2048 bytes"]);
  expect(replies).toMatchObject([
    { type: "accepted" },
    { type: "refused", error: { code: "HAL_SCHEMA_VIOLATION" } },
  ]);
});

test("42: a job moves into the next version of its file, by what that says", () => {
  const next = (output: string, migrate = false): Rules => {
    const machine = setup({
      types: { context: {}, events: {} as JobEvent<typeof Begin | typeof Yes> },
    }).createMachine({
      context: {},
      initial: "waits",
      output: () => output,
      states: { waits: { on: { Yes: "over" }, after: { 9000: "over" } }, over: { type: "final" } },
    });
    const moving = migrate ? { migrate: () => ({ state: "waits", context: {} }) } : {};
    const chart = statechart({
      on: [by(Begin, of), by(Yes, of)],
      starts: [Begin],
      machine,
      ...moving,
    });
    return defineRules({ chart });
  };
  const engine = new Engine(next("first"));
  engine.send(Begin, a());
  engine.apply({ file: next("second", true) });
  engine.run(0);
  engine.send(Yes, a());
  expect(ends(engine)).toEqual(['a: done "second"']);
});

test("43: a rule of one step is there for each event, and the key of a job that has ended is free", () => {
  const engine = new Engine(
    defineRules({ work, note: on(No).do(({ why }) => why("noted")) }, declares),
  );
  for (let round = 1; round <= 3; round += 1) {
    engine.send(No, a());
    engine.send(Begin, a(round));
    engine.send(Yes, a(9));
  }
  expect(engine.fired("file/note")).toHaveLength(3);
  expect(ends(engine)).toEqual(["a: done 10", "a: done 11", "a: done 12"]);
});

test("44: the next job of a key begins with nothing of the one before", () => {
  const engine = new Engine(working);
  engine.send(Begin, a());
  engine.send(Yes, a(100));
  engine.send(Begin, a());
  engine.send(Yes, a(6));
  expect(ends(engine)).toEqual(["a: done 100", "a: done 6"]);
});

/** Begins on Begin, waits for the next number, and says it. */
const listener = statechart({
  on: [by(Begin, () => "listener"), by(Yes, () => "listener")],
  starts: [Begin],
  machine: setup({
    types: {
      context: {} as { n: number },
      events: {} as JobEvent<typeof Begin | typeof Yes>,
      output: {} as number,
    },
    actions: { take: assign({ n: ({ event }) => event.data.n }) },
  }).createMachine({
    context: { n: -1 },
    initial: "waits",
    output: ({ context }) => context.n,
    states: {
      waits: { on: { Yes: { target: "over", actions: "take" } }, after: { 60000: "over" } },
      over: { type: "final" },
    },
  }),
});

test("45: of 0, U, 1, 2, U, 3, 4, U, 5 the works are 1, 3 and 5", () => {
  const engine = new Engine(defineRules({ listener }));
  for (const what of [0, "U", 1, 2, "U", 3, 4, "U", 5])
    if (what === "U") engine.send(Begin, a());
    else engine.send(Yes, a(Number(what)));
  expect(ends(engine)).toEqual([1, 3, 5].map((n) => `listener: done ${n}`));
  expect(engine.dead.filter((type) => type === "Yes")).toHaveLength(3);
});

test("45: a job whose event waits already goes on at once", () => {
  const engine = new Engine(defineRules({ patient }));
  engine.send(Begin, a());
  engine.send(Yes, a(3));
  engine.send(No, a());
  expect(ends(engine)).toEqual(["a: done 3"]);
});
