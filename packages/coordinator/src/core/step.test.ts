import { defineEvent } from "@halon/protocol";
import { defineRules, on, type Rules } from "@halon/rules";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { TestCluster } from "../../testdata/test-cluster.ts";
import { outboxMax, timersMax } from "./admit.ts";
import { Timers } from "./timers.ts";

const Go = defineEvent({ type: "Go", schema: z.strictObject({ n: z.number() }) });
const Rang = defineEvent({
  type: "Rang",
  schema: z.strictObject({ n: z.number() }),
  sentBy: "rule",
});
const check = { type: "CheckService", service: "web", instance: "web@a#1" } as const;

/** A cluster with one more rule file. */
function withRules(rules: Parameters<typeof defineRules>[0]): TestCluster {
  const file: Rules = defineRules(rules, { events: [Go] });
  return new TestCluster({ file });
}

const go = (cluster: TestCluster, n = 1) => cluster.emit("Go", { n });

describe("the outbox", () => {
  const sends = on(Go).do(({ command }) => void command.send("a", check, { deadlineMs: 100 }));
  const answer = (command: string, type = "ServiceChecked") => {
    const at = { node: "a", service: "web", instance: "web@a#1", command };
    return type === "ServiceChecked" ? { ...at, health: "ok" } : at;
  };
  const says = (cluster: TestCluster, sequence: number, type: string, data: object) =>
    cluster.take({
      type: "numbered",
      source: "node/a",
      incarnation: 1,
      sequence,
      event: { type, version: 1, data: data as never },
    });

  test("holds a command until its answer, which the record names", () => {
    const cluster = withRules({ sends });
    go(cluster);
    expect(cluster.state.outbox.of("a").map(({ id }) => id)).toEqual(["2.1"]);
    const { record } = says(cluster, 1, "ServiceChecked", answer("2.1"));
    expect(record?.decisions[0]?.settles).toBe("2.1");
    expect(cluster.state.outbox.size).toBe(0);
    expect(cluster.state.timers.size).toBe(0);
  });

  test("is not settled by an event that is no answer to the command", () => {
    const cluster = withRules({ sends });
    go(cluster);
    says(cluster, 1, "ServiceStopped", answer("2.1", "ServiceStopped"));
    expect(cluster.state.outbox.size).toBe(1);
  });

  test("is not settled by what a client emits", () => {
    const Fake = defineEvent({ type: "Fake", schema: z.strictObject({ command: z.string() }) });
    const file = defineRules({ sends, fake: on(Fake).do(() => undefined) }, { events: [Go, Fake] });
    const cluster = new TestCluster({ file });
    go(cluster);
    cluster.emit("Fake", { command: "2.1" });
    expect(cluster.state.outbox.size).toBe(1);
  });

  test("drops a command at its deadline, and CommandExpired says so", () => {
    const cluster = withRules({ sends });
    go(cluster);
    cluster.tick(99);
    expect(cluster.state.outbox.size).toBe(1);
    cluster.tick(1);
    expect(cluster.state.outbox.size).toBe(0);
    expect(cluster.decided("CommandExpired")).toMatchObject([
      { data: { command: "2.1", node: "a", action: "CheckService", instance: "web@a#1" } },
    ]);
  });

  test("forgets a command that a rule cancels, and its deadline with it", () => {
    const cancels = on(Go)
      .where(({ event }) => event.n === 2)
      .do(({ command }) => command.cancel("a"));
    const cluster = withRules({
      sends: on(Go)
        .where(({ event }) => event.n === 1)
        .do(({ command }) => void command.send("a", check, { deadlineMs: 100 })),
      cancels,
    });
    go(cluster, 1);
    go(cluster, 2);
    expect([cluster.state.outbox.size, cluster.state.timers.size]).toEqual([0, 0]);
  });

  test("a command that is cancelled in the record that sent it is not sent", () => {
    const cluster = withRules({
      sends,
      cancels: on(Go).do(({ command }) => command.cancel("a")),
    });
    const { commands } = cluster.take({
      type: "client",
      id: "c",
      event: { type: "Go", version: 1, data: { n: 1 } },
    });
    expect(commands).toEqual([]);
  });
});

describe("timers", () => {
  const rings = on(Rang).do(() => undefined);
  const rang = (cluster: TestCluster) =>
    cluster.decided("Rang").map(({ data }) => (data as { n: number }).n);

  test("fire in order of time, then of key, when log time is there", () => {
    const cluster = withRules({
      arms: on(Go).do(({ timer }) => {
        timer.after("c", 30, Rang, { n: 4 });
        timer.after("b", 20, Rang, { n: 3 });
        timer.after("a", 20, Rang, { n: 2 });
        timer.after("z", 10, Rang, { n: 1 });
        timer.after("late", 31, Rang, { n: 5 });
      }),
      rings,
    });
    go(cluster);
    cluster.tick(30);
    expect(rang(cluster)).toEqual([1, 2, 3, 4]);
  });

  test("of the same key are replaced, also by one that fires in the same batch", () => {
    const cluster = withRules({
      arms: on(Go).do(({ timer }) => {
        timer.after("a", 10, Rang, { n: 1 });
        timer.after("b", 10, Rang, { n: 2 });
        timer.after("c", 10, Rang, { n: 3 });
      }),
      first: on(Rang)
        .where(({ event }) => event.n === 1)
        .do(({ timer }) => {
          timer.after("b", 50, Rang, { n: 20 });
          timer.cancel("c");
        }),
      rings,
    });
    go(cluster);
    cluster.tick(10);
    expect(rang(cluster)).toEqual([1]);
    cluster.tick(50);
    expect(rang(cluster)).toEqual([1, 20]);
  });

  test("armed for now fire in the next batch, so that a rule cannot keep one busy for ever", () => {
    const cluster = withRules({
      arms: on(Go).do(({ timer }) => timer.after("t", 0, Rang, { n: 1 })),
      again: on(Rang).do(({ timer }) => timer.after("t", 0, Rang, { n: 1 })),
    });
    go(cluster);
    cluster.tick(0);
    cluster.tick(0);
    expect(rang(cluster)).toEqual([1, 1]);
  });

  test("fire late and never early: log time does not go back", () => {
    const cluster = withRules({
      arms: on(Go).do(({ timer }) => timer.after("t", 10, Rang, { n: 1 })),
      rings,
    });
    go(cluster);
    cluster.now -= 500;
    cluster.tick(9);
    expect(cluster.state.logTime).toBe(1_000);
    expect(rang(cluster)).toEqual([]);
  });

  test("armed again and again for a far time keep the heap small", () => {
    const timers = new Timers();
    const arm = (key: string, due: number) =>
      timers.arm({ key, due, event: { type: "Rang", data: null } });
    for (let i = 0; i < 1_000; i += 1) arm(`k${i % 10}`, 1_000_000 - i);
    arm("first", 5);
    expect(timers.first()?.key).toBe("first");
    timers.disarm("first");
    expect(timers.first()?.key).toBe("k9");
    expect(timers.size).toBe(10);
  });
});

describe("events that rules publish", () => {
  test("are decided in the same record, breadth first", () => {
    const cluster = withRules({
      fans: on(Go).do(({ publish }) => {
        publish(Rang, { n: 1 });
        publish(Rang, { n: 2 });
      }),
      deeper: on(Rang)
        .where(({ event }) => event.n < 10)
        .do(({ event, publish }) => publish(Rang, { n: event.n * 10 })),
    });
    go(cluster);
    const [, record] = cluster.records;
    const numbers = record?.decisions.map(({ event }) => (event.data as { n: number }).n);
    expect(numbers).toEqual([1, 1, 2, 10, 20]);
    expect(record?.decisions[3]?.origin).toEqual({
      type: "derived",
      of: record?.decisions[1]?.event.id,
    });
  });

  test("at most 64 deep: what goes deeper is a dead letter that names the first event", () => {
    const cluster = withRules({
      starts: on(Go).do(({ publish }) => publish(Rang, { n: 0 })),
      again: on(Rang).do(({ event, publish }) => publish(Rang, { n: event.n + 1 })),
    });
    go(cluster);
    expect(cluster.decided("Rang")).toHaveLength(65);
    expect(cluster.state.deadLetters[0]?.reason).toContain("more than 64 levels");
  });
});

describe("what a rule file leaves waiting is bounded: one more is refused, with the number", () => {
  const repeat = (times: number, action: (n: number) => void) => {
    for (let n = 0; n < times; n += 1) action(n);
  };

  test("timers", () => {
    const cluster = withRules({
      arms: on(Go).do(({ event, timer }) =>
        repeat(event.n, (n) => timer.after(`${event.n}-${n}`, 1_000_000, Rang, { n })),
      ),
    });
    go(cluster, timersMax);
    go(cluster, 1);
    expect(cluster.state.timers.size).toBe(timersMax);
    expect(cluster.decided("RuleFailed")).toHaveLength(1);
  });

  test("commands to a node", () => {
    const cluster = withRules({
      sends: on(Go).do(({ event, command }) =>
        repeat(event.n, () => void command.send("a", check, { deadlineMs: 1_000_000 })),
      ),
    });
    go(cluster, outboxMax);
    go(cluster, 1);
    expect(cluster.state.outbox.countOf("a")).toBe(outboxMax);
    expect(cluster.decided("RuleFailed")).toHaveLength(1);
  });
});

test("a rule that throws is undone alone, and the record says which", () => {
  const cluster = withRules({
    breaks: on(Go).do(({ update, timer }) => {
      update.put("Host", "undone", { hostname: "undone" });
      timer.after("t", 1, Rang, { n: 1 });
      throw new Error("broken rule");
    }),
    stands: on(Go).do(({ update }) => update.put("Host", "stands", { hostname: "stands" })),
  });
  go(cluster);
  expect(cluster.state.graph.list("Host").map(({ id }) => id)).toEqual(["stands"]);
  expect(cluster.state.timers.size).toBe(0);
  expect(cluster.decided("RuleFailed")).toMatchObject([{ data: { rule: "file/breaks" } }]);
});

test("a batch of which nothing is taken leaves no record", () => {
  const cluster = new TestCluster();
  expect(cluster.take().record).toBeUndefined();
  expect(cluster.state.index).toBe(1);
});
