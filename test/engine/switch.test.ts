/** Scenarios on what a job waits for; the table is in README.md. */
import { assign, by, defineRules, effect, type JobEvent, setup, statechart } from "@halon/rules";
import { expect, test } from "vitest";
import { a, Begin, ends, No, of, Said, said, Yes } from "./charts.ts";
import { Engine } from "./engine.ts";

type Heard = JobEvent<typeof Begin | typeof Yes | typeof No>;

const types = {
  context: {} as { sum: number },
  input: {} as JobEvent<typeof Begin>,
  events: {} as Heard,
};
const add = assign<{ sum: number }, Heard, undefined, Heard, never>({
  sum: ({ context, event }) => context.sum + event.data.n,
});

const kit = setup({
  types: { ...types, output: {} as number },
  actions: { say: (_, _params: { text: string }) => effect(), add },
  guards: { isBig: ({ event }) => event.data.n > 5 },
});

const hears = [by(Begin, of), by(Yes, of), by(No, of)] as const;
const effects = {
  say: ({ params, publish }: { params: { text: string }; publish: Publish }) =>
    publish(Said, params),
};
type Publish = (type: typeof Said, data: { text: string }) => void;

/** A file with one statechart, whose jobs hear Begin, Yes and No. */
function engineOf(states: Parameters<typeof kit.createMachine>[0]["states"]): Engine {
  const machine = kit.createMachine({
    context: ({ input }) => ({ sum: input.data.n }),
    initial: "waits",
    output: ({ context }) => context.sum,
    states: { over: { type: "final" }, ...states },
  });
  const work = statechart({ on: hears, starts: [Begin], machine, effects });
  return new Engine(defineRules({ work }, { events: [Said] }));
}

const say = (text: string) => ({ type: "say", params: { text } }) as const;

/** Waits for Yes or No. */
const either = () =>
  engineOf({
    waits: {
      on: {
        Yes: { target: "over", actions: say("yes") },
        No: { target: "over", actions: say("no") },
      },
      after: { 3000: "over" },
    },
  });

test("4: of two events that a state waits for, the one that comes is taken", () => {
  for (const [event, text] of [
    [Yes, "yes"],
    [No, "no"],
  ] as const) {
    const engine = either();
    engine.send(Begin, a());
    engine.send(event, a());
    expect([said(engine), ends(engine)]).toEqual([[text], ["a: done 0"]]);
  }
});

test("5: what comes after for the other way is taken by nothing, and is a dead letter", () => {
  const engine = either();
  engine.send(Begin, a());
  engine.send(Yes, a());
  engine.send(No, a());
  expect(said(engine)).toEqual(["yes"]);
  expect(engine.dead).toContain("No");
});

test("6: the way that was taken goes on with what it waits for", () => {
  const engine = engineOf({
    waits: { on: { Yes: "further", No: "over" }, after: { 3000: "over" } },
    further: { on: { No: { target: "over", actions: say("no, then") } }, after: { 3000: "over" } },
  });
  engine.send(Begin, a());
  engine.send(Yes, a());
  engine.send(No, a());
  expect(said(engine)).toEqual(["no, then"]);
});

test("7: a state whose guard refuses an event still waits for the next", () => {
  const engine = engineOf({
    waits: {
      on: { Yes: { guard: "isBig", target: "over", actions: "add" } },
      after: { 3000: "over" },
    },
  });
  engine.send(Begin, a());
  engine.send(Yes, a(1));
  engine.send(Yes, a(7));
  expect(ends(engine)).toEqual(["a: done 7"]);
});

test("8: of two ways side by side one ends, and the other goes on", () => {
  const way = (event: "Yes" | "No") => ({
    initial: "open" as const,
    states: {
      open: { on: { [event]: "shut" }, after: { 3000: "shut" } },
      shut: { type: "final" as const, entry: say(`${event} is over`) },
    },
  });
  const engine = engineOf({
    waits: { type: "parallel", states: { left: way("Yes"), right: way("No") }, onDone: "over" },
  });
  engine.send(Begin, a());
  engine.send(Yes, a());
  expect([said(engine), ends(engine)]).toEqual([["Yes is over"], []]);
  engine.send(No, a());
  expect([said(engine), ends(engine)]).toEqual([["Yes is over", "No is over"], ["a: done 0"]]);
});

test("9: a way whose guard refuses changes nothing of the job", () => {
  const engine = engineOf({
    waits: {
      on: { Yes: [{ guard: "isBig", target: "over", actions: "add" }, { actions: say("small") }] },
      after: { 3000: "over" },
    },
  });
  engine.send(Begin, a(1));
  engine.send(Yes, a(2));
  engine.run(3_000);
  expect([said(engine), ends(engine)]).toEqual([["small"], ["a: done 1"]]);
});

test("11: a way without an event is taken at once, whatever else the state waits for", () => {
  const engine = engineOf({
    waits: { always: { target: "over", actions: say("at once") }, on: { Yes: "over" } },
  });
  engine.send(Begin, a());
  expect([said(engine), ends(engine)]).toEqual([["at once"], ["a: done 0"]]);
  expect(engine.records.at(-1)?.decisions[0]?.event.type).toBe("Begin");
});

test("24: what a state puts off is taken by the next, the oldest first and each once", () => {
  const engine = engineOf({
    waits: { meta: { defer: ["Yes"] }, on: { No: "takes" }, after: { 3000: "over" } },
    takes: { on: { Yes: { target: "takes more", actions: "add" } }, after: { 3000: "over" } },
    "takes more": { on: { Yes: { target: "over", actions: "add" } }, after: { 3000: "over" } },
  });
  engine.send(Begin, a());
  for (const n of [1, 20, 300]) engine.send(Yes, a(n));
  engine.send(No, a());
  expect(ends(engine)).toEqual(["a: done 21"]);
});

test("27: each event moves a job once; one that a guard has refused is no more there for the next state", () => {
  const once = (meta: { defer?: readonly string[] } = {}) =>
    engineOf({
      waits: { meta, on: { Yes: { guard: "isBig", target: "small" } }, after: { 3000: "over" } },
      small: { on: { Yes: { target: "over", actions: "add" } }, after: { 3000: "over" } },
    });
  const engine = once();
  engine.send(Begin, a());
  engine.send(Yes, a(1));
  engine.send(Yes, a(8));
  engine.run(5_000);
  expect(ends(engine)).toEqual(["a: done 0"]);
  const twice = once();
  twice.send(Begin, a());
  twice.send(Yes, a(8));
  twice.send(Yes, a(1));
  expect(ends(twice)).toEqual(["a: done 1"]);
});

test("27: an event that a state puts off is there for the next", () => {
  const engine = engineOf({
    waits: { meta: { defer: ["No"] }, on: { Yes: "small" }, after: { 3000: "over" } },
    small: { on: { No: { target: "over", actions: "add" } }, after: { 3000: "over" } },
  });
  engine.send(Begin, a());
  engine.send(No, a(1));
  engine.send(Yes, a(8));
  expect(ends(engine)).toEqual(["a: done 1"]);
});

test("32: time leads on when nothing comes, and an event before it wins", () => {
  const timed = () =>
    engineOf({
      waits: {
        on: { Yes: { target: "over", actions: say("yes") } },
        after: { 3000: { target: "over", actions: say("too late") } },
      },
    });
  const late = timed();
  late.send(Begin, a());
  late.run(3_000);
  late.send(Yes, a());
  expect(said(late)).toEqual(["too late"]);
  const early = timed();
  early.send(Begin, a());
  early.run(2_999);
  early.send(Yes, a());
  early.run(5_000);
  expect(said(early)).toEqual(["yes"]);
});

test("33: of 2 s and 3 s, 2 s win", () => {
  const engine = engineOf({
    waits: {
      after: {
        3000: { target: "over", actions: say("three") },
        2000: { target: "over", actions: say("two") },
      },
    },
  });
  engine.send(Begin, a());
  engine.run(10_000);
  expect(said(engine)).toEqual(["two"]);
});

test("34: a state that is left after 2 s is left no sooner, also when its coordinator dies meanwhile", () => {
  const engine = engineOf({
    waits: { on: { Yes: "pauses" }, after: { 3000: "over" } },
    pauses: { after: { 2000: { target: "over", actions: say("after 2 s") } } },
  });
  engine.send(Begin, a());
  engine.run(500);
  engine.send(Yes, a());
  engine.run(1_000);
  engine.die();
  engine.run(999);
  expect(said(engine)).toEqual([]);
  engine.run(1);
  expect(said(engine)).toEqual(["after 2 s"]);
});

test("35: the first state may wait for time alone", () => {
  const engine = engineOf({ waits: { after: { 1000: { target: "over", actions: say("one") } } } });
  engine.send(Begin, a());
  engine.run(999);
  expect(said(engine)).toEqual([]);
  engine.run(1);
  expect([said(engine), ends(engine)]).toEqual([["one"], ["a: done 0"]]);
});

test("36: a delay beside an event does not hold it back; a state that puts it off does", () => {
  const ready = engineOf({
    waits: {
      on: { Yes: { target: "over", actions: say("yes") } },
      after: { 2000: { target: "over", actions: say("time") } },
    },
  });
  ready.send(Begin, a());
  ready.send(Yes, a());
  expect(said(ready)).toEqual(["yes"]);
  const held = engineOf({
    waits: { meta: { defer: ["Yes"] }, after: { 2000: "takes" } },
    takes: { on: { Yes: { target: "over", actions: say("yes") } }, after: { 2000: "over" } },
  });
  held.send(Begin, a());
  held.send(Yes, a());
  held.run(1_999);
  expect(said(held)).toEqual([]);
  held.run(1);
  expect(said(held)).toEqual(["yes"]);
});
