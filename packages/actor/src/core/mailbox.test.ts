import fc from "fast-check";
import { expect, test } from "vitest";
import { assertPlain } from "../plain.ts";
import { Routes } from "../routes.ts";
import { exitEffect } from "./exit-signal.ts";
import { type Envelope, Mailbox } from "./mailbox.ts";
import { isPid, makePid, type Pid, startOf, threadOf } from "./pid.ts";

const envelope = (message: unknown, type: "send" | "signal" = "send"): Envelope => ({
  message,
  meta: { type },
  reply: null,
});

test("a mailbox is a queue, however its ring turns", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (pushes) => {
      const mailbox = new Mailbox(40);
      const model: number[] = [];
      for (const [at, isPush] of pushes.entries()) {
        if (!isPush) expect(mailbox.take()?.message).toBe(model.shift());
        else if (mailbox.push(envelope(at))) model.push(at);
        else expect(model.length).toBe(40);
        expect(mailbox.count).toBe(model.length);
      }
    }),
  );
});

test("signals come on top of the bound and take no place of messages", () => {
  const mailbox = new Mailbox(1);
  const taken = [
    mailbox.push(envelope("a")),
    mailbox.push(envelope("down", "signal")),
    mailbox.push(envelope("b")),
  ];
  mailbox.take();
  expect([...taken, mailbox.push(envelope("c")), mailbox.push(envelope("d"))]).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
});

test.each([
  { reason: "killed", linked: false, trapping: true, effect: "kill" },
  { reason: "killed", linked: true, trapping: true, effect: "deliver" },
  { reason: "killed", linked: true, trapping: false, effect: "end" },
  { reason: "normal", linked: true, trapping: false, effect: "ignore" },
  { reason: "normal", linked: true, trapping: true, effect: "deliver" },
  { reason: "shutdown", linked: false, trapping: false, effect: "end" },
] as const)(
  "exit $reason, linked $linked, trapping $trapping: $effect",
  ({ effect, ...signal }) => {
    expect(exitEffect(signal)).toBe(effect);
  },
);

test("a pid tells its start and thread", () => {
  const pid = makePid({ node: "node-1", incarnation: 4, thread: 2 }, 17);
  expect([pid, startOf(pid), threadOf(pid), isPid(pid)]).toEqual([
    "node-1/4/2.17",
    "node-1/4/",
    2,
    true,
  ]);
  expect(["node-1/4", "Node/1/1", "a/1/0.1", "a/1/1/1", 5].map(isPid)).toEqual(
    new Array(5).fill(false),
  );
});

test("a signal goes to its thread, its node, or says why it cannot", () => {
  const route = { send: () => undefined };
  const routes = new Routes({ node: "a", incarnation: 2, thread: 0 });
  routes.setThread(3, route);
  routes.setNode("b/1/", route);
  const hops = ["a/2/9", "a/2/3.1", "a/2/4.1", "a/1/9", "b/1/1", "b/0/1", "c/1/1"].map((pid) => {
    const hop = routes.to(pid as Pid, () => false);
    return hop.type === "nowhere" ? hop.why : hop.type;
  });
  expect(hops).toEqual(["here", "route", "noproc", "noproc", "route", "noproc", "noconnection"]);
});

class Custom {}
const cycle: { self?: unknown } = {};
cycle.self = cycle;
test.each([
  { name: "function", value: { a: [() => 1] }, path: "message.a[0] is a function" },
  {
    name: "class instance",
    value: { a: new Custom() },
    path: "message.a is an instance of Custom",
  },
  { name: "map", value: new Map(), path: "message is an instance of Map" },
  { name: "cycle", value: cycle, path: "deep" },
])("a message with a $name is refused, naming the place", ({ value, path }) => {
  expect(() => assertPlain(value)).toThrow(path);
});
