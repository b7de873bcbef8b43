import { builtInEvents, type Command, defineEvent, events } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { FakeHost, run, runFiles } from "../testdata/fake-host.ts";
import { defineRules } from "./define-rules.ts";
import { type DoContext, on } from "./rule.ts";

const Ping = defineEvent({ type: "Ping", schema: z.strictObject({ n: z.number() }) });
const Pong = defineEvent({ type: "Pong", schema: z.strictObject({ n: z.number() }) });

type PingContext = DoContext<{ n: number }>;

/** The firing of a file of one rule that does this on a Ping. */
function firingOf(action: (context: PingContext) => void, host = new FakeHost()) {
  const rules = defineRules({ only: on(Ping).do(action) });
  const [firing] = run(rules, { data: { n: 1 } }, host).firings;
  if (firing === undefined) throw new Error("the rule did not fire");
  return firing;
}

const noop = () => undefined;

describe("which rules fire", () => {
  test("only those on the event's type, all of whose conditions hold", () => {
    const rules = defineRules({
      other: on(Pong).do(noop),
      small: on(Ping)
        .where(({ event }) => event.n < 5)
        .do(noop),
      between: on(Ping)
        .where(({ event }) => event.n > 1)
        .where(({ event }) => event.n < 5)
        .do(noop),
    });
    const fired = run(rules, { data: { n: 1 } }).firings.map(({ rule }) => rule);
    expect(fired).toEqual(["file/small"]);
  });

  test("built-in rules first, then by priority, name of the file, and place in it", () => {
    const urgent = on(Ping).priority(10).do(noop);
    const late = on(Ping).priority(-1_000).do(noop);
    const files = [
      {
        name: "second",
        rules: defineRules({ z: on(Ping).do(noop), a: on(Ping).do(noop), urgent }),
      },
      { name: "first", rules: defineRules({ late, m: on(Ping).do(noop) }) },
      { name: "builtin", rules: defineRules({ own: on(Ping).do(noop) }) },
    ];
    const fired = runFiles(files, { data: { n: 1 } }).firings.map(({ rule }) => rule);
    expect(fired).toEqual([
      ...["builtin/own", "second/urgent"],
      ...["first/m", "second/z", "second/a", "first/late"],
    ]);
  });

  test.each([1_001, -1_001, 0.5, Number.NaN])("no rule has the priority %s", (priority) => {
    expect(() => on(Ping).priority(priority)).toThrow(
      `priority is ${priority}; it is a whole number from -1000 to 1000`,
    );
  });

  test("none whose condition gives a promise: it fails instead of being taken for true", () => {
    const late = (async () => true) as unknown as () => boolean;
    const [firing] = run(defineRules({ a: on(Ping).where(late).do(noop) }), {}).firings;
    expect(firing?.why).toContain("a rule's condition must not return a promise");
  });

  test("each sees what those before it did", () => {
    const host = new FakeHost();
    const rules = defineRules({
      first: on(Ping).do(({ update, memory }) => {
        update.put<string>("Thing", "t", { seen: 1 });
        memory.set("seen", 1);
      }),
      second: on(Ping)
        .where(
          ({ graph, memory }) => graph.get("Thing", "t") !== undefined && memory.get("seen") === 1,
        )
        .do(noop),
    });
    expect(run(rules, { data: { n: 1 } }, host).firings).toHaveLength(2);
  });
});

describe("an event that no rule handles is dead, with the reason", () => {
  test("when no rule is on its type", () => {
    expect(run(defineRules({}), {}).dead).toBe("no rule is on Ping");
  });

  test("when no condition held", () => {
    const rules = defineRules({
      never: on(Ping)
        .where(() => false)
        .do(noop),
    });
    expect(run(rules, {}).dead).toBe("no condition of the 1 rules on Ping held");
  });

  test("but not when it is an announcement of a rule", () => {
    expect(run(defineRules({}), { type: "ServiceMoved" }).dead).toBeNull();
  });

  test("a rule that fails has handled it: the failure is an event of its own", () => {
    const rules = defineRules({
      fails: on(Ping).do(() => {
        throw new Error("no");
      }),
    });
    expect(run(rules, {}).dead).toBeNull();
  });
});

describe("a rule that throws", () => {
  const thrower = on(Ping).do(({ update, memory, timer, publish, command }) => {
    update.put<string>("Thing", "undone", {});
    memory.set("undone", 1);
    timer.after("undone", 1, Pong, { n: 1 });
    publish(Pong, { n: 1 });
    command.stop("web");
    throw new RangeError("out of range");
  });

  test("is undone alone; those before and after it stand", () => {
    const host = new FakeHost();
    const put = (id: string) => on(Ping).do(({ update }) => update.put<string>("Thing", id, {}));
    run(defineRules({ before: put("a"), thrower, after: put("b") }), {}, host);
    expect(host.changes.map((change) => "key" in change && change.key)).toEqual([
      "Thing/a",
      "Thing/b",
    ]);
  });

  test("leaves nothing but RuleFailed, with rule, event and reason", () => {
    const [firing] = run(defineRules({ thrower }), {}).firings;
    const data = { rule: "file/thrower", event: "e1", reason: "RangeError: out of range" };
    expect(firing).toMatchObject({ changes: [], memory: [], timers: [], commands: [] });
    expect(firing?.published).toMatchObject([{ type: "RuleFailed", data }]);
    expect(builtInEvents.RuleFailed.schema.safeParse(data).success).toBe(true);
  });

  test.each([
    { thrown: null, reason: "null" },
    { thrown: "text", reason: "text" },
    { thrown: Object.create(null), reason: "an object that is no Error" },
    { thrown: new Error("x".repeat(9_000)), reason: `Error: ${"x".repeat(3_993)}` },
  ])("gives a reason of bounded length whatever it throws ($#)", ({ thrown, reason }) => {
    const firing = firingOf(() => {
      throw thrown;
    });
    expect(firing.published[0]?.data).toMatchObject({ reason });
  });

  test("in a condition fails like one in an action", () => {
    const rules = defineRules({
      only: on(Ping)
        .where(() => {
          throw new Error("in where");
        })
        .do(noop),
    });
    expect(run(rules, {}).firings[0]?.why).toBe("the rule threw Error: in where");
  });

  test("an action that returns a promise is refused, for nothing waits for it", () => {
    const later = (async () => undefined) as unknown as () => void;
    const firing = firingOf(later);
    expect(firing.why).toBe("the rule threw TypeError: a rule's action must not return a promise");
  });
});

describe("what a rule hands over is JSON, frozen, in one order", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;

  test.each([
    { what: "NaN", value: { deep: [Number.NaN] }, reason: "value.deep[0] is NaN, not JSON" },
    { what: "a function", value: noop, reason: "value is a function, not JSON" },
    {
      what: "a Map",
      value: { m: new Map() },
      reason: "value.m is an object of class Map, not JSON",
    },
    { what: "a cycle", value: cyclic, reason: "is nested deeper than 64 levels" },
  ])("$what is refused", ({ value, reason }) => {
    expect(firingOf(({ memory }) => memory.set("k", value)).why).toContain(reason);
  });

  test("members are sorted, so that they read the same after the log held them", () => {
    const host = new FakeHost();
    firingOf(({ memory }) => memory.set("k", { b: -0, a: undefined, A: 1 }), host);
    expect(JSON.stringify(host.memory("file", "k"))).toBe('{"A":1,"b":0}');
  });

  test("a value over the limit is refused, with its size", () => {
    const firing = firingOf(({ memory }) => memory.set("k", "x".repeat(1_048_576)));
    expect(firing).toMatchObject({
      memory: [],
      why: expect.stringContaining("1048578 characters"),
    });
  });

  test("a value read from memory cannot be changed in place", () => {
    const host = new FakeHost();
    firingOf(({ memory }) => memory.set("list", [1]), host);
    const firing = firingOf(({ memory }) => void (memory.get("list") as number[]).push(2), host);
    expect(firing.why).toContain("TypeError");
    expect(host.memory("file", "list")).toEqual([1]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "a delay or deadline of %s is refused",
    (ms) => {
      const action = { type: "CheckService", service: "web", instance: "web@a#1" } as const;
      const wrong = [
        firingOf(({ timer }) => timer.after("t", ms, Pong, { n: 1 })),
        firingOf(({ command }) => command.start("web", { after: ms })),
        firingOf(({ command }) => void command.send("a", action, { deadlineMs: ms })),
      ];
      for (const firing of wrong) expect(firing.why).toContain("not a number of milliseconds");
    },
  );
});

describe("memory", () => {
  test("is the file's own, and is forgotten with null", () => {
    const host = new FakeHost();
    host.memories.set("other:k", "foreign");
    const seen: unknown[] = [];
    firingOf(({ memory }) => {
      seen.push(memory.get("k"));
      memory.set("k", 7);
      seen.push(memory.get("k"));
      memory.set("k", null);
      seen.push(memory.get("k"));
    }, host);
    expect(seen).toEqual([undefined, 7, undefined]);
  });
});

describe("timers", () => {
  test("are armed in log time, under a key of the file", () => {
    const { timers } = firingOf(({ timer }) => timer.after("t", 20.4, Pong, { n: 2 }));
    const event = { type: "Pong", data: { n: 2 } };
    expect(timers).toEqual([{ type: "arm", key: "file/t", due: 1_020, event }]);
  });

  test("are pending within the firing that arms them, until it cancels them", () => {
    const seen: boolean[] = [];
    const firing = firingOf(({ timer }) => {
      seen.push(timer.pending("t"));
      timer.after("t", 5, Pong, { n: 1 });
      seen.push(timer.pending("t"));
      timer.cancel("t");
      seen.push(timer.pending("t"));
    });
    expect(seen).toEqual([false, true, false]);
    expect(firing.timers).toEqual([{ type: "disarm", key: "file/t" }]);
  });

  test("of another file are not seen", () => {
    const host = new FakeHost();
    host.timers.add("other/t");
    firingOf(({ timer }) => expect(timer.pending("t")).toBe(false), host);
  });
});

describe("commands", () => {
  const check = { type: "CheckService", service: "web", instance: "web@a#1" } as const;
  const sent = (id: string, instance: string): Command => {
    return { id, epoch: 1, node: "a", deadline: 5, action: { ...check, instance } };
  };

  test("have the epoch, a deadline in log time, and are outstanding within the firing", () => {
    const firing = firingOf(({ command }) => {
      const id = command.send("a", check, { deadlineMs: 100 });
      expect(command.outstanding("a").map((each) => each.id)).toEqual([id]);
      expect(command.outstanding("b")).toEqual([]);
    });
    expect(firing.commands).toMatchObject([
      { epoch: 3, node: "a", deadline: 1_100, action: check },
    ]);
  });

  test("in the outbox are cancelled for a node, or for one instance", () => {
    const host = new FakeHost();
    host.outbox.push(sent("1.1", "web@a#1"), sent("1.2", "db@a#1"));
    const one = firingOf(({ command }) => command.cancel("a", "db@a#1"), host);
    const all = firingOf(({ command }) => command.cancel("a"), host);
    expect([one.cancelled, all.cancelled]).toEqual([["1.2"], ["1.1", "1.2"]]);
  });

  test("of the same firing that are cancelled are never sent", () => {
    const firing = firingOf(({ command }) => {
      command.send("a", check, { deadlineMs: 100 });
      command.cancel("a");
      expect(command.outstanding("a")).toEqual([]);
    });
    expect([firing.commands, firing.cancelled]).toEqual([[], []]);
  });

  test("that the event answers can be looked at", () => {
    const host = new FakeHost();
    host.answer = sent("1.1", "web@a#1");
    const firing = firingOf(({ command, why }) => why(command.answered()?.id ?? "none"), host);
    expect(firing.why).toBe("1.1");
  });

  test.each([
    { name: "start", type: "ServiceStartRequested" },
    { name: "stop", type: "ServiceStopRequested" },
    { name: "restart", type: "ServiceRestartRequested" },
  ] as const)("$name asks as a person would", ({ name, type }) => {
    const { published } = firingOf(({ command }) =>
      command[name]("web", { on: "a", reason: "why" }),
    );
    expect(published).toMatchObject([
      { type, source: "rule/file/only", data: { service: "web", on: "a", reason: "why" } },
    ]);
    expect(builtInEvents[type].schema.safeParse(published[0]?.data).success).toBe(true);
  });

  test("asked for `after` some time are timers, one for each request", () => {
    const { timers, published } = firingOf(({ command }) => {
      command.start("web", { after: 30 });
      command.restart("web", { after: 40 });
    });
    expect(published).toEqual([]);
    expect(timers).toMatchObject([
      { type: "arm", due: 1_030, event: { type: "ServiceStartRequested" } },
      { type: "arm", due: 1_040, event: { type: "ServiceRestartRequested" } },
    ]);
    for (const timer of timers) {
      if (timer.type !== "arm") continue;
      const { schema } = builtInEvents[timer.event.type as "ServiceStartRequested"];
      expect(schema.safeParse(timer.event.data).success).toBe(true);
    }
  });
});

describe("what else an action does", () => {
  test("events are published in order, from the rule", () => {
    const { published } = firingOf(({ publish }) => {
      publish(Pong, { n: 1 });
      publish(Pong, { n: 2 });
    });
    const source = "rule/file/only";
    expect(published).toMatchObject([
      { type: "Pong", source, data: { n: 1 } },
      { type: "Pong", source, data: { n: 2 } },
    ]);
    expect(new Set(published.map(({ id }) => id)).size).toBe(2);
  });

  test("sentences are joined; without one the reason is the event", () => {
    const spoken = firingOf(({ why }) => {
      why("one");
      why("two");
    });
    expect([spoken.why, firingOf(noop).why]).toEqual(["one; two", "on Ping"]);
  });

  test("attributes are edited in a copy, also by a recipe that is an expression", () => {
    const host = new FakeHost();
    const before = Object.freeze({ count: 1 });
    host.transaction.update.put<string>("Thing", "t", before);
    firingOf(({ update }) => update.edit("Thing", "t", (draft) => (draft["count"] = 2)), host);
    expect(host.changes.at(-1)).toMatchObject({ after: { count: 2 } });
    expect(before).toEqual({ count: 1 });
  });

  test("what is not there cannot be edited", () => {
    const firing = firingOf(({ update }) => update.edit("Thing", "t", noop));
    expect(firing.why).toContain("there is no Thing t to edit");
  });
});

test("whose code runs is told when it changes, and that none does before the next", () => {
  const host = new FakeHost();
  const look = on(Ping)
    .where(() => false)
    .do(noop);
  const rules = defineRules({ one: look, other: look });
  runFiles(
    ["a", "b"].map((name) => ({ name, rules })),
    {},
    host,
  );
  expect(host.ran).toEqual(["a", null, "b", null]);
});

test("no rule changes what others see of the graph", () => {
  const host = new FakeHost();
  const rules = defineRules({
    breaks: on(Ping).do(({ graph }) => void Object.assign(graph, { get: () => undefined })),
  });
  const { firings } = run(rules, {}, host);
  expect(firings[0]?.why).toContain("the rule threw TypeError");
});

test("a field that the event has not does not compile", () => {
  const rules = defineRules({
    typed: on(events.ServiceFailed)
      // @ts-expect-error ServiceFailed has no field `servcie`.
      .where(({ event }) => event.servcie === "web")
      .do(({ event, publish }) => {
        // @ts-expect-error ServiceFailed has no field `exitCode`.
        void event.exitCode;
        // @ts-expect-error `healthyMs` is a number.
        event.healthyMs.startsWith("1");
        // @ts-expect-error ServiceMoved needs more than this.
        publish(events.ServiceMoved, { service: "web" });
      }),
  });
  expect(rules.kind).toBe("rules");
});
