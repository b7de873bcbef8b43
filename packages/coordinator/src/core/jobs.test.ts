import type { Json } from "@halon/protocol";
import { by, defineRules, effect, type JobEvent, on, setup, statechart } from "@halon/rules";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  Ask,
  askRules,
  Begin,
  Cluster,
  Go,
  setOf,
  Told,
  work,
} from "../../testdata/job-cluster.ts";
import { encodeSnapshot } from "./snapshot.ts";

const of = (event: { readonly of: string }) => event.of;
const begin = (cluster: Cluster, n = 1, key = "a") => cluster.send("Begin", { of: key, n });
const go = (cluster: Cluster, n: number, key = "a") => cluster.send("Go", { of: key, n });

describe("a job", () => {
  test("begins with an event, moves by events and time, and ends with its output", () => {
    const cluster = new Cluster();
    begin(cluster, 1);
    cluster.run(20);
    go(cluster, 3);
    go(cluster, 9);
    expect(cluster.told().map(({ text }) => text)).toEqual(["a waits 1", "a works 1"]);
    expect(cluster.ends).toMatchObject([
      { rule: "file/work", key: "a", outcome: "done", since: 0, output: { sum: 13 } },
    ]);
  });

  test("leaves nothing behind: no memory, no timer", () => {
    const cluster = new Cluster();
    begin(cluster);
    cluster.run(60);
    expect(cluster.ends).toMatchObject([{ outcome: "failed" }]);
    expect(cluster.state.timers.size).toBe(0);
    expect([...(cluster.state.memories.get("file") ?? [])]).toEqual([]);
  });

  test("is one for each key", () => {
    const cluster = new Cluster();
    begin(cluster, 1, "a");
    begin(cluster, 2, "b");
    cluster.run(20);
    go(cluster, 9, "b");
    expect(cluster.ends).toMatchObject([{ key: "b", output: { sum: 11 } }]);
  });

  test("is joined by equal requests, and everyone who asked is told of its end", () => {
    const cluster = new Cluster();
    begin(cluster, 1);
    begin(cluster, 2);
    cluster.send("JobRequested", { rule: "file/work", data: { of: "a" } });
    cluster.run(60);
    expect(cluster.ends).toMatchObject([
      { requests: [{ event: "e1" }, { event: "e2" }, { event: "e3", source: "client/e3" }] },
    ]);
  });

  test("names a thousand of those who asked, and counts the others", () => {
    const cluster = new Cluster();
    for (let number = 0; number < 1_002; number += 1) begin(cluster);
    cluster.run(60);
    expect(cluster.ends[0]?.["requests"]).toHaveLength(1_000);
    expect(cluster.ends[0]).toMatchObject({ more: 2 });
  });

  test("is over at its deadline", () => {
    const patient = defineRules({ work: { ...work, deadlineMs: 5 } }, { events: [Told] });
    const cluster = new Cluster(patient);
    begin(cluster);
    cluster.run(10);
    expect(cluster.ends).toMatchObject([
      { outcome: "timedOut", reason: "it had not ended after 5 ms" },
    ]);
    expect(cluster.state.timers.size).toBe(0);
  });

  test("is over at its deadline even when its file is not in force, and waits until then", () => {
    const cluster = new Cluster();
    begin(cluster);
    cluster.rules = setOf([]);
    cluster.run(199);
    expect(cluster.ends).toEqual([]);
    cluster.run(1);
    expect(cluster.ends).toMatchObject([{ outcome: "timedOut" }]);
  });
});

test("a delay that passes while the file is not in force is not lost: it comes later", () => {
  const patient = defineRules({ work: { ...work, deadlineMs: 100_000 } }, { events: [Told] });
  const cluster = new Cluster(patient);
  begin(cluster);
  cluster.rules = setOf([]);
  cluster.run(25);
  cluster.rules = setOf([{ name: "file", rules: patient }]);
  cluster.run(30_000);
  expect(cluster.told().map(({ text }) => text)).toEqual(["a waits 1", "a works 1"]);
});

describe("cancelling a job", () => {
  const cancel = { rule: "file/work", key: "a", reason: "not needed" };

  test("ends it at once when its state does not wait for that", () => {
    const cluster = new Cluster();
    begin(cluster);
    cluster.send("JobCancelRequested", cancel);
    expect(cluster.ends).toMatchObject([{ outcome: "cancelled", reason: "not needed" }]);
    expect(cluster.state.timers.size).toBe(0);
  });

  test("lets it end by itself when its state does", () => {
    const cluster = new Cluster();
    begin(cluster);
    cluster.run(20);
    cluster.send("JobCancelRequested", cancel);
    expect(cluster.ends).toEqual([]);
    cluster.run(10);
    expect(cluster.ends).toMatchObject([{ outcome: "cancelled", reason: "not needed" }]);
  });

  test("of one that does not run is a dead letter", () => {
    const cluster = new Cluster();
    cluster.send("JobCancelRequested", cancel);
    expect(cluster.state.deadLetters).toMatchObject([
      { reason: 'there is no job "a" of file/work' },
    ]);
  });
});

describe("an event that a state puts off", () => {
  test("is taken by the state that waits for it, in order", () => {
    const cluster = new Cluster();
    begin(cluster, 1);
    go(cluster, 2);
    go(cluster, 9);
    go(cluster, 4);
    cluster.run(20);
    expect(cluster.ends).toMatchObject([{ outcome: "done", output: { sum: 12 } }]);
  });

  test("is one of a hundred at most; the oldest makes room", () => {
    const cluster = new Cluster();
    begin(cluster, 0);
    for (let number = 0; number < 101; number += 1) go(cluster, number === 0 ? 5 : 1);
    cluster.run(60);
    expect(cluster.ends).toMatchObject([{ outcome: "failed", output: { sum: 100 } }]);
  });
});

test("an event that no state of the job waits for costs no transition, and is a dead letter", () => {
  const cluster = new Cluster();
  go(cluster, 9);
  expect(cluster.state.deadLetters).toMatchObject([{ event: { type: "Go" } }]);
});

describe("what throws ends the job as failed, and says so", () => {
  const failing = (where: "guard" | "effect") => {
    const rules = defineRules(
      {
        work: statechart({
          on: [by(Begin, of), by(Go, of)],
          starts: [Begin],
          machine: setup({
            types: { events: {} as JobEvent<typeof Begin | typeof Go> },
            actions: { act: effect },
            guards: {
              holds: () => {
                if (where === "guard") throw new Error("no");
                return true;
              },
            },
          }).createMachine({
            initial: "on",
            states: {
              on: { on: { Go: { guard: "holds", actions: "act" } }, after: { 10: "off" } },
              off: { type: "final" },
            },
          }),
          effects: {
            act: ({ update }) => {
              update.put<string>("Thing", "t", {});
              throw new Error("no");
            },
          },
        }),
      },
      {},
    );
    const cluster = new Cluster(rules);
    begin(cluster);
    go(cluster, 1);
    return cluster;
  };

  test.each(["guard", "effect"] as const)("%s", (where) => {
    const cluster = failing(where);
    expect(cluster.ends).toMatchObject([{ outcome: "failed", requests: [{ event: "e1" }] }]);
    expect(cluster.told("RuleFailed")).toMatchObject([{ rule: "file/work" }]);
    expect(cluster.state.graph.get("Thing", "t")).toBeUndefined();
    expect(cluster.state.timers.size).toBe(0);
  });
});

describe("a job of a job", () => {
  test("is awaited by each that asked for it", () => {
    const cluster = new Cluster(askRules);
    cluster.send("Ask", { of: "a", n: 1 });
    cluster.send("Ask", { of: "a", n: 2 });
    cluster.run(60);
    expect(cluster.ends.map(({ rule, key, outcome }) => [rule, key, outcome])).toEqual([
      ["file/work", "a", "failed"],
      ["file/ask", "a-1", "done"],
      ["file/ask", "a-2", "done"],
    ]);
  });

  test("is refused where it is asked for, when there is no such rule or the request is not one", () => {
    const asks = (rule: string, data: Json) =>
      defineRules({ work, only: on(Ask).do(({ job }) => job.start(rule, data)) });
    for (const [rule, data, reason] of [
      ["play", {}, "there is no statechart rule file/play in force"],
      ["work", { of: 1 }, "the rule file/work: "],
    ] as const) {
      const cluster = new Cluster(asks(rule, data));
      cluster.send("Ask", { of: "a", n: 1 });
      expect(cluster.told("RuleFailed")[0]?.["reason"]).toContain(reason);
    }
  });

  test("is refused with an end when a person asks for it wrongly", () => {
    const cluster = new Cluster();
    cluster.send("JobRequested", { rule: "file/work", data: {} });
    expect(cluster.ends).toMatchObject([{ outcome: "failed", requests: [{ event: "e1" }] }]);
    cluster.send("JobRequested", { rule: "file/play", data: {} });
    expect(cluster.state.deadLetters.at(-1)).toMatchObject({
      reason: "there is no statechart rule file/play in force",
    });
  });
});

test("memory and timers of jobs are out of the reach of rules", () => {
  for (const reach of [
    on(Ask).do(({ memory }) => void memory.get("@job/work/a")),
    on(Ask).do(({ memory }) => memory.set("@job/work/a", null)),
    on(Ask).do(({ timer }) => timer.cancel("@deadline/work/a")),
  ]) {
    const cluster = new Cluster(defineRules({ work, reach }));
    cluster.send("Ask", { of: "a", n: 1 });
    expect(cluster.told("RuleFailed")[0]?.["reason"]).toContain("those are Halon's own");
  }
});

type Happens = readonly [
  gap: number,
  type: "Begin" | "Go" | "Ask" | "Cancel",
  key: string,
  n: number,
];

function play(history: readonly Happens[], cut = -1): Cluster {
  const cluster = new Cluster(askRules);
  history.forEach(([gap, type, key, n], position) => {
    if (position === cut) cluster.die();
    cluster.run(gap);
    if (type === "Cancel")
      cluster.send("JobCancelRequested", { rule: "file/work", key, reason: "enough" });
    else cluster.send(type, { of: key, n });
  });
  cluster.run(500);
  expect(encodeSnapshot(cluster.follower)).toBe(encodeSnapshot(cluster.state));
  return cluster;
}

const histories = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 25 }),
    fc.constantFrom(...(["Begin", "Go", "Go", "Ask", "Cancel"] as const)),
    fc.constantFrom("a", "b"),
    fc.integer({ min: 0, max: 9 }),
  ),
  { maxLength: 20 },
);

test("folding the records gives the jobs of the one who decided; the next one goes on from them, and all end once", () => {
  fc.assert(
    fc.property(histories, fc.nat(19), (history, cut) => {
      const cluster = play(history, cut);
      expect(cluster.records).toEqual(play(history).records);
      const did = cluster.records.flatMap(({ decisions }) =>
        decisions.flatMap(({ firings }) => firings),
      );
      const begun = did.filter(({ why }) => why.includes(" begins on "));
      expect(cluster.ends).toHaveLength(begun.length);
    }),
    { numRuns: 40 },
  );
});

test("a thousand jobs outlive their coordinator: all end, none twice, no time comes early or later than the outage", () => {
  const cluster = new Cluster();
  for (let number = 0; number < 1_000; number += 1) {
    begin(cluster, number, `k${number}`);
    if (number % 100 === 99) cluster.run(1);
  }
  cluster.run(12);
  cluster.die();
  const outage = 15;
  cluster.pass(outage);
  cluster.run(300);
  const keys = cluster.ends.map(({ key }) => key);
  expect(new Set(keys).size).toBe(1_000);
  expect(keys).toHaveLength(1_000);
  for (const { logTime, decisions } of cluster.records)
    for (const { event } of decisions) {
      if (event.type !== "JobEnded") continue;
      const { since } = event.data as { readonly since: number };
      expect(logTime - since).toBeGreaterThanOrEqual(50);
      expect(logTime - since).toBeLessThanOrEqual(50 + outage);
    }
});
