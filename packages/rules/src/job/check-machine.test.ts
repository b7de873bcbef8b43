import { defineEvent } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { type AnyStateMachine, assign, fromPromise, raise, sendTo, setup } from "xstate";
import { z } from "zod";
import { checkMachine } from "./check-machine.ts";
import { by, type JobEvent, type StatechartRule, statechart } from "./statechart.ts";

const Ping = defineEvent({ type: "Ping", schema: z.strictObject({ of: z.string() }) });
const Pong = defineEvent({ type: "Pong", schema: z.strictObject({ of: z.string() }) });

const events = {} as JobEvent<typeof Ping | typeof Pong> | { readonly type: "inner" };
const chart = setup({
  types: { events, context: {} as { n: unknown } },
  actions: { tell: () => undefined, grow: assign({ n: 1 }) },
  guards: { even: () => true },
  delays: { soon: 5 },
});

type Config = Parameters<typeof chart.createMachine>[0];

function ruleOf(machine: AnyStateMachine): StatechartRule {
  return statechart({
    on: [by(Ping, (e) => e.of), by(Pong, (e) => e.of)],
    starts: [Ping],
    machine: machine as ReturnType<typeof chart.createMachine>,
    effects: { tell: () => undefined },
  });
}

function refusal(config: object): string | null {
  const machine = chart.createMachine({ context: { n: 0 }, ...config } as Config);
  try {
    checkMachine("r", ruleOf(machine));
    return null;
  } catch (error) {
    expect(error).toMatchObject({ code: "HAL_CONFIG_INVALID" });
    return (error as Error).message;
  }
}

/** Of a machine of the state `a`, which time ends, unless its members say otherwise. */
const state = (a: object) => ({
  initial: "a",
  states: { a: { after: { soon: "end" }, ...a }, end: { type: "final" } },
});

describe("a machine that can be a job is taken", () => {
  test.each([
    { name: "one state and a time", config: state({}) },
    {
      name: "events, guards, assignments and effects",
      config: state({
        entry: ["tell", "grow"],
        on: { Ping: { guard: "even", actions: "grow" }, Pong: "end" },
        meta: { defer: ["Ping"] },
      }),
    },
    {
      name: "events that it raises itself",
      config: state({
        entry: raise({ type: "inner" }, { delay: 5 }),
        on: { inner: "end", cancel: "end" },
      }),
    },
    {
      name: "a time around the states that wait",
      config: {
        initial: "a",
        after: { soon: ".end" },
        states: {
          a: { on: { Ping: "b" } },
          b: { always: { guard: "even", target: "end" } },
          end: { type: "final" },
        },
      },
    },
    {
      name: "a circle that time goes round, and that can end",
      config: {
        initial: "a",
        states: {
          a: { after: { soon: [{ guard: "even", target: "b" }, { target: "end" }] } },
          b: { after: { soon: "a" } },
          end: { type: "final" },
        },
      },
    },
    {
      name: "regions that all come to their ends",
      config: {
        initial: "both",
        states: {
          both: {
            type: "parallel",
            onDone: "end",
            states: {
              left: { initial: "x", states: { x: { after: { soon: "y" } }, y: { type: "final" } } },
              right: {
                initial: "x",
                states: { x: { after: { soon: "y" } }, y: { type: "final" } },
              },
            },
          },
          end: { type: "final" },
        },
      },
    },
  ])("$name", ({ config }) => {
    expect(refusal(config)).toBeNull();
  });
});

describe("a machine that cannot be a job is refused, with rule, state and what to do", () => {
  const actor = fromPromise(async () => 1);

  test.each([
    {
      name: "an actor",
      config: state({ invoke: { src: actor } }),
      says: "the state a invokes an actor",
    },
    {
      name: "a message to an actor",
      config: state({ entry: sendTo("x", { type: "y" }) }),
      says: "xstate.sendTo",
    },
    {
      name: "a function as an action",
      config: state({ entry: () => undefined }),
      says: "has a function as an action",
    },
    {
      name: "an action without an effect",
      config: state({ exit: "shout" }),
      says: "the action shout, which is no effect",
    },
    {
      name: "a guard that is not there",
      config: state({ on: { Ping: { guard: "odd", target: "end" } } }),
      says: "the guard odd",
    },
    {
      name: "a delay that is not there",
      config: state({ after: { later: "end" } }),
      says: "the delay later",
    },
    {
      name: "an event that it never gets",
      config: state({ on: { Pang: "end" } }),
      says: "waits for Pang",
    },
    {
      name: "an event put off that it never gets",
      config: state({ meta: { defer: ["Pang"] } }),
      says: "puts off Pang",
    },
    {
      name: "a context that is no JSON",
      config: { ...state({}), context: { n: new Map() } },
      says: "the machine has a context that cannot be kept: context.n is an object of class Map",
    },
    {
      name: "a state that nothing leads to",
      config: {
        initial: "a",
        states: {
          a: { after: { soon: "end" } },
          b: { after: { soon: "end" } },
          end: { type: "final" },
        },
      },
      says: "the state b cannot be reached",
    },
    {
      name: "a circle without events",
      config: {
        initial: "a",
        states: {
          a: { always: { guard: "even", target: "b" }, after: { soon: "end" } },
          b: { always: "a" },
          end: { type: "final" },
        },
      },
      says: "the state a comes back to itself",
    },
    {
      name: "a transition to itself without an event",
      config: state({ always: { guard: "even", actions: "grow" } }),
      says: "the state a comes back to itself",
    },
    {
      name: "a state that waits for an event alone",
      config: state({ after: {}, on: { Ping: "end" } }),
      says: "the state a is not left for a final state by time alone",
    },
    {
      name: "a time under a condition alone",
      config: state({ after: { soon: { guard: "even", target: "end" } } }),
      says: "the state a is not left",
    },
    {
      name: "a circle that never ends",
      config: {
        initial: "a",
        states: {
          a: { after: { soon: "b" }, on: { Ping: "end" } },
          b: { after: { soon: "a" } },
          end: { type: "final" },
        },
      },
      says: "the state a is not left",
    },
    {
      name: "an end inside that nothing follows",
      config: {
        initial: "a",
        states: {
          a: {
            initial: "x",
            on: { Ping: "end" },
            states: { x: { after: { soon: "y" } }, y: { type: "final" } },
          },
          end: { type: "final" },
        },
      },
      says: "the state a.x is not left",
    },
    {
      name: "a region that never comes to its end",
      config: {
        initial: "both",
        states: {
          both: {
            type: "parallel",
            onDone: "end",
            states: {
              left: { initial: "x", states: { x: { after: { soon: "y" } }, y: { type: "final" } } },
              right: { initial: "x", states: { x: { on: { Ping: "y" } }, y: { type: "final" } } },
            },
          },
          end: { type: "final" },
        },
      },
      says: "is not left for a final state",
    },
  ])("$name", ({ config, says }) => {
    expect(refusal(config)).toContain("rule r: the ");
    expect(refusal(config)).toContain(says);
  });
});
