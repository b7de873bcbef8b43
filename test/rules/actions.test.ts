import { defineEvent, defineRules, on, z } from "@halon/rules";
import { expect } from "vitest";
import { golden, type Table } from "./golden.ts";
import type { Step } from "./stage.ts";

const plain = z.strictObject({ of: z.string() });
const One = defineEvent({ type: "One", schema: plain });
const Two = defineEvent({ type: "Two", schema: plain });
const Three = defineEvent({ type: "Three", schema: plain });
const Wait = defineEvent({
  type: "Wait",
  schema: z.strictObject({ key: z.string(), ms: z.number() }),
});
const Forget = defineEvent({ type: "Forget", schema: z.strictObject({ key: z.string() }) });
const Due = defineEvent({ type: "Due", schema: z.strictObject({ says: z.string() }) });
const Look = defineEvent({
  type: "Look",
  schema: z.strictObject({ severity: z.enum(["none", "info", "warning", "critical"]) }),
});
const Later = defineEvent({ type: "Later", schema: z.strictObject({ ms: z.number() }) });
const Run = defineEvent({ type: "Run", schema: z.strictObject({ name: z.string() }) });

const rules = defineRules(
  {
    first: on(One).do(({ memory }) => memory.set("order", "first")),
    second: on(One).do(({ memory }) => memory.set("order", `${memory.get("order")} second`)),
    before: on(One)
      .priority(10)
      .do(({ memory }) => memory.set("order", "before")),
    after: on(One)
      .priority(-10)
      .do(({ memory, publish }) => publish(Due, { says: String(memory.get("order")) })),

    chain: on(Two)
      .where(({ event }) => event.of !== "stop")
      .do(({ event, publish, now }) => {
        publish(Three, { of: event.of });
        publish(Due, { says: `at ${now}` });
      }),
    heard: on(Three).do(({ event, publish }) => publish(Due, { says: `three ${event.of}` })),

    wait: on(Wait).do(({ event: { key, ms }, timer }) =>
      timer.after(key, ms, Due, { says: `${key} after ${ms}` }),
    ),
    forget: on(Forget).do(({ event, timer }) => timer.cancel(event.key)),
    due: on(Due).do(({ memory, event }) => memory.set("due", event.says)),

    fails: on(Three)
      .where(({ event }) => event.of === "bad")
      .do(({ memory, publish }) => {
        memory.set("undone", true);
        publish(Due, { says: "undone" });
        throw new Error("it is bad");
      }),

    alert: on(Look).do(({ event: { severity }, alert }) => {
      if (severity === "none") alert.clear("look");
      else alert.raise("look", { severity, text: `it is ${severity}` });
    }),
    later: on(Later).do(({ event, command }) => command.restart("web", { after: event.ms })),
    run: on(Run).do(
      ({ event, run }) => void run(event.name, { on: "a", args: ["now"], deadlineMs: 10_000 }),
    ),
  },
  { events: [Due] },
);

const table: Table = {
  services: { web: { on: { node: "a" } } },
  files: { file: rules },
  of: "file",
};
const wait = (key: string, ms: number): Step => ["Wait", { key, ms }];
const look = (severity: string): Step => ["Look", { severity }];

golden("rules on one event", table, [
  [
    "act by priority, then in the order of their file, and each sees what those before it did",
    [["One", { of: "x" }]],
    { fires: "before first second after due", tells: "Due first second" },
  ],
  [
    "do not act when their condition does not hold",
    [["Two", { of: "stop" }]],
    { fires: "", tells: "" },
  ],
  [
    "of one that throws are undone alone",
    [["Three", { of: "bad" }]],
    { fires: "heard fails due", tells: "Due three bad, RuleFailed", throws: 1 },
  ],
]);

golden("an event that a rule publishes", table, [
  [
    "is decided next, in the order of publishing",
    [["Two", { of: "x" }]],
    { fires: "chain heard due due", tells: "Three, Due at 1000, Due three x" },
  ],
  [
    "is decided in the same record",
    [
      ["Two", { of: "x" }],
      (stage) => expect(stage.cluster.records.at(-1)?.decisions).toHaveLength(4),
    ],
    {},
  ],
]);

golden("a timer", table, [
  ["fires when its time has come", [wait("a", 5_000), 4_999, "watch", 1], { fires: "due" }],
  ["does not fire before", [wait("a", 5_000), "watch", 4_999], { fires: "" }],
  ["fires once", [wait("a", 5_000), 5_000, "watch", 60_000], { fires: "" }],
  [
    "of the same key replaces the one before",
    [wait("a", 5_000), 3_000, wait("a", 5_000), "watch", 4_999],
    { fires: "" },
  ],
  [
    "of another key is another",
    [wait("a", 5_000), wait("b", 5_000), "watch", 5_000],
    { fires: "due due" },
  ],
  [
    "that is cancelled does not fire",
    [wait("a", 5_000), ["Forget", { key: "a" }], "watch", 60_000],
    { fires: "" },
  ],
  ["of 0 ms fires at the next record", [wait("a", 0), "watch", 1], { fires: "due" }],
]);

golden("an alert", table, [
  [
    "is told when it is raised",
    [look("warning")],
    { tells: "AlertRaised look warning", is: { "alert look": "warning" } },
  ],
  ["is told once", [look("warning"), look("warning")], { tells: "AlertRaised look warning" }],
  [
    "is told again when it gets worse",
    [look("warning"), "watch", look("critical")],
    { tells: "AlertRaised look critical", is: { "alert look": "critical" } },
  ],
  [
    "is told again when it gets better",
    [look("warning"), "watch", look("info")],
    { tells: "AlertRaised look info" },
  ],
  [
    "is told when it is cleared",
    [look("warning"), "watch", look("none")],
    { tells: "AlertCleared look", is: { "alert look": "none" } },
  ],
  ["that does not stand is not cleared", [look("none")], { tells: "" }],
  [
    "may be raised again",
    [look("warning"), look("none"), "watch", look("warning")],
    { tells: "AlertRaised look warning" },
  ],
]);

golden("a request of a rule", table, [
  [
    "is carried out as that of a person",
    [["Later", { ms: 0 }]],
    { tells: "ServiceRestartRequested web", commands: "StopService web@a#1, StartService web@a#2" },
  ],
  [
    "with a delay is carried out when that has passed",
    [["Later", { ms: 5_000 }], 4_999, "watch", 1],
    { commands: "StopService web@a#1, StartService web@a#2" },
  ],
  ["with a delay is not carried out before", [["Later", { ms: 5_000 }], 4_999], { commands: "" }],
]);

golden("a program that a rule has run", table, [
  ["is run on the node", [["Run", { name: "tidy" }]], { commands: "a runs tidy now" }],
  [
    "is told to have ended",
    [["Run", { name: "tidy" }], "watch", "ran a tidy"],
    { tells: "RunEnded a tidy done" },
  ],
  [
    "is told to have failed",
    [["Run", { name: "tidy" }], "watch", "ran a tidy failed"],
    { tells: "RunEnded a tidy failed" },
  ],
  [
    "is told to have ended once",
    [["Run", { name: "tidy" }], "ran a tidy", "watch", 600_000],
    { tells: "" },
  ],
  [
    "of which nobody tells is unknown in the end",
    [["Run", { name: "tidy" }], "watch", 600_000],
    { tells: "RunEnded a tidy unknown" },
  ],
  [
    "with a name that cannot be is not run",
    [["Run", { name: "../sh" }]],
    { commands: "", throws: 1 },
  ],
]);
