import { expect, test } from "vitest";
import { assign, fromPromise, raise, setup } from "xstate";
import { advance, begin, delaysOf, expectations, persist, restore } from "./machine.ts";

const types = { events: {} as { readonly type: "Ping" | "Pong" } };
const ping = { type: "Ping" } as const;

test("guards and assignments see nothing that differs from one run to the next", () => {
  const machine = setup({ types }).createMachine({
    context: ({ self }) => ({ seen: [Object.keys(self), self.id] }),
  });
  const { context } = begin(machine, undefined).snapshot;
  expect(context).toEqual({ seen: [["system"], undefined] });
});

test("an assignment that spawns fails, and says what to do instead", () => {
  const machine = setup({ types, actors: { work: fromPromise(async () => 1) } }).createMachine({
    context: {},
    entry: assign({ child: ({ spawn }) => spawn("work") }),
  });
  expect(() => begin(machine, undefined)).toThrow("a job cannot begin an actor");
});

test("a machine that raises events for ever is stopped", () => {
  const machine = setup({ types }).createMachine({
    on: { Ping: { actions: raise({ type: "Pong" }) }, Pong: { actions: raise({ type: "Ping" }) } },
  });
  const { snapshot } = begin(machine, undefined);
  expect(() => advance(machine, snapshot, ping)).toThrow("Infinite loop");
});

test("what is persisted is JSON from which the machine goes on, its history included", () => {
  const machine = setup({ types }).createMachine({
    initial: "in",
    states: {
      in: {
        initial: "a",
        states: { a: { on: { Pong: "b" } }, b: {}, back: { type: "history" } },
        on: { Ping: "out" },
      },
      out: { on: { Ping: "in.back" } },
    },
  });
  let { snapshot } = begin(machine, undefined);
  for (const type of ["Pong", "Ping", "Ping"]) {
    const saved = JSON.parse(JSON.stringify(persist(machine, snapshot)));
    snapshot = advance(machine, restore(machine, saved), { type })?.snapshot ?? snapshot;
  }
  expect(snapshot.value).toEqual({ in: "b" });
});

test("the innermost state that says something of an event is asked, in each region", () => {
  const machine = setup({ types }).createMachine({
    initial: "outer",
    states: {
      outer: {
        on: { Ping: "outer", Pong: "outer" },
        initial: "inner",
        states: { inner: { meta: { defer: ["Ping", "Pong"] } } },
      },
    },
  });
  const { snapshot } = begin(machine, undefined);
  expect(expectations(snapshot, ["Ping", "Pong", "Pang"])).toEqual({
    waits: [],
    defers: ["Ping", "Pong"],
  });
});

test("delays of the states it is in have their times, by the ids of their timers", () => {
  const machine = setup({ types, delays: { soon: () => 7 } }).createMachine({
    id: "m",
    initial: "a",
    states: { a: { after: { soon: "b", 9: "b" } }, b: { after: { 1: "a" } } },
  });
  const delays = [...delaysOf(begin(machine, undefined).snapshot)];
  expect(delays.sort()).toEqual([
    ["xstate.after.9.m.a", 9],
    ["xstate.after.soon.m.a", 7],
  ]);
});
