import { defineEvent, type Json } from "@halon/protocol";
import { defineRules, on, z } from "@halon/rules";
import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, hashLike } from "../../../testdata/samples.ts";
import { fail } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";

const severity = z.enum(["info", "warning", "critical"]);
const Raise = defineEvent({
  type: "Raise",
  schema: z.strictObject({ key: z.string(), severity, text: z.string() }),
});
const RaiseMany = defineEvent({
  type: "RaiseMany",
  schema: z.strictObject({ from: z.number(), count: z.number() }),
});
const Clear = defineEvent({ type: "Clear", schema: z.strictObject({ key: z.string() }) });

const rules = defineRules({
  raise: on(Raise).do(({ event, alert }) => alert.raise(event.key, event)),
  raiseMany: on(RaiseMany).do(({ event: { from, count }, alert }) => {
    for (let number = from; number < from + count; number += 1)
      alert.raise(`${number}`, { severity: "info", text: "one of many" });
  }),
  clear: on(Clear).do(({ event, alert }) => alert.clear(event.key, "it is over")),
});

const raise = (cluster: TestCluster, key: string, level: string, text: string) =>
  cluster.emit("Raise", { key, severity: level, text });

const alerts = (cluster: TestCluster) =>
  cluster.state.graph.list("Alert").map(({ id, attributes }) => ({ id, ...attributes }));

const told = (cluster: TestCluster) =>
  cluster
    .decided()
    .filter(({ type }) => type === "AlertRaised" || type === "AlertCleared")
    .map(({ type, data }) => [type, data as Json]);

describe("an alert", () => {
  test("stands until it is cleared; both are told", () => {
    const cluster = new TestCluster({ mine: rules });
    const since = 1_700_000_000_000 + cluster.now;
    raise(cluster, "a/sda", "warning", "3 errors");
    const alert = { key: "a/sda", rule: "mine/raise", severity: "warning", text: "3 errors" };
    expect(alerts(cluster)).toEqual([{ id: "mine/a/sda", ...alert, since, count: 1 }]);
    cluster.emit("Clear", { key: "a/sda" });
    expect(alerts(cluster)).toEqual([]);
    expect(told(cluster)).toEqual([
      ["AlertRaised", { alert: "mine/a/sda", ...alert }],
      ["AlertCleared", { alert: "mine/a/sda", ...alert, reason: "it is over" }],
    ]);
  });

  test("that is raised again keeps its beginning, and is told when its severity is another", () => {
    const cluster = new TestCluster({ mine: rules });
    raise(cluster, "k", "info", "one");
    const [{ since } = { since: 0 }] = alerts(cluster);
    cluster.tick(1_000);
    raise(cluster, "k", "info", "two");
    raise(cluster, "k", "critical", "three");
    expect(alerts(cluster)).toMatchObject([
      { since, count: 3, severity: "critical", text: "three" },
    ]);
    expect(told(cluster)).toMatchObject([
      ["AlertRaised", { severity: "info", text: "one" }],
      ["AlertRaised", { severity: "critical", text: "three" }],
    ]);
  });

  test("that does not stand is not cleared", () => {
    const cluster = new TestCluster({ mine: rules });
    cluster.emit("Clear", { key: "k" });
    expect(told(cluster)).toEqual([]);
  });

  test("of one rule file is none of another's", () => {
    const cluster = new TestCluster({ mine: rules, other: rules });
    raise(cluster, "k", "info", "one");
    expect(alerts(cluster).map(({ id }) => id)).toEqual(["mine/k", "other/k"]);
  });

  test("with too long a text is cut, and one without a key is an error of the rule", () => {
    const cluster = new TestCluster({ mine: rules });
    raise(cluster, "k", "info", "x".repeat(5_000));
    expect(alerts(cluster)[0]?.text).toHaveLength(1_000);
    raise(cluster, "", "info", "one");
    expect(cluster.decided("RuleFailed")).toHaveLength(1);
  });
});

test("a file has at most 1,000 alerts: one more is not raised, the rule goes on and says so", () => {
  const cluster = new TestCluster({ mine: rules });
  cluster.emit("RaiseMany", { from: 0, count: 999 });
  cluster.emit("RaiseMany", { from: 999, count: 2 });
  expect(alerts(cluster)).toHaveLength(1_000);
  expect(cluster.whyOf("RaiseMany")).toContain("1000 alerts of its file stand, at most 1000 may");
  raise(cluster, "5", "critical", "it stands already");
  expect(cluster.state.graph.get("Alert", "mine/5")?.attributes.severity).toBe("critical");
});

test("all files have at most 10,000 alerts", () => {
  const files = Array.from({ length: 11 }, (_, number) => [`file-${number}`, rules]);
  const cluster = new TestCluster(Object.fromEntries(files));
  cluster.emit("RaiseMany", { from: 0, count: 1_000 });
  expect(alerts(cluster)).toHaveLength(10_000);
  expect(cluster.whyOf("RaiseMany")).toContain("10000 alerts stand, at most 10000 may");
  cluster.emit("Clear", { key: "7" });
  cluster.emit("RaiseMany", { from: 0, count: 20 });
  expect(alerts(cluster)).toHaveLength(10_000);
});

/** A cluster file with these rule files, each with these rules. */
const filesOf = (names: readonly string[], rulesOfEach: readonly string[]) =>
  clusterSpec([], {
    rules: names.map((name) => ({
      ...{ name, blob: hashLike(name), rules: [...rulesOfEach], events: [], resources: {} },
    })),
  });

test("the alerts of a rule file that is removed are cleared, with the reason", () => {
  const cluster = new TestCluster({ mine: rules, other: rules });
  cluster.apply(filesOf(["mine", "other"], ["raise"]));
  raise(cluster, "k", "info", "one");
  cluster.apply(filesOf(["other"], ["raise"]));
  expect(alerts(cluster).map(({ id }) => id)).toEqual(["other/k"]);
  expect(told(cluster).at(-1)).toMatchObject([
    "AlertCleared",
    { alert: "mine/k", reason: "the rule file mine was removed" },
  ]);
});

test("the alerts of a rule that its file does not have any more are cleared", () => {
  const cluster = new TestCluster({ mine: rules });
  cluster.apply(filesOf(["mine"], ["raise", "raiseMany"]));
  raise(cluster, "k", "info", "one");
  cluster.emit("RaiseMany", { from: 0, count: 1 });
  cluster.apply(filesOf(["mine"], ["raiseMany"]));
  expect(alerts(cluster).map(({ id }) => id)).toEqual(["mine/0"]);
});

describe("the built-in rules raise an alert", () => {
  const standing = (cluster: TestCluster) =>
    alerts(cluster).map(({ id, severity }) => `${id} ${severity}`);

  test("while the breaker is tripped", () => {
    const cluster = new TestCluster();
    for (const name of ["a", "b", "c", "d"]) cluster.addNode(name);
    cluster.settle();
    for (const name of ["a", "b", "c"]) cluster.lose(name);
    expect(standing(cluster)).toContain("builtin/breaker critical");
    expect(alerts(cluster)[0]?.text).toBe("3 of 4 nodes were lost within 60 s: a, b, c");
    cluster.ask("BreakerResetRequested", {});
    expect(standing(cluster)).not.toContain("builtin/breaker critical");
  });

  test.each([
    { what: "it is back", act: (cluster: TestCluster) => cluster.connect("b") },
    {
      what: "a person takes it out",
      act: (cluster: TestCluster) => void cluster.ask("NodeRemoveRequested", { node: "b" }),
    },
  ])("for a node that was given up, until $what", ({ act }) => {
    const cluster = new TestCluster();
    for (const name of ["a", "b"]) cluster.addNode(name);
    cluster.settle();
    cluster.lose("b");
    cluster.drain();
    expect(standing(cluster)).toEqual(["builtin/node-given-up/b critical"]);
    act(cluster);
    cluster.settle();
    expect(standing(cluster)).toEqual([]);
  });

  test.each([
    {
      what: "a person starts it",
      act: (cluster: TestCluster) => void cluster.ask("ServiceStartRequested", { service: "web" }),
    },
    { what: "nobody wants it", act: (cluster: TestCluster) => void cluster.apply(clusterSpec([])) },
  ])("for a service that is broken, until $what", ({ act }) => {
    const cluster = new TestCluster();
    cluster.addNode("a");
    cluster.settle();
    cluster.apply(clusterSpec([deployment("web")]));
    for (let number = 1; number <= 5; number += 1) {
      cluster.settle();
      fail(cluster.node("a"), `web@a#${number}`);
      cluster.drain();
    }
    expect(standing(cluster)).toEqual(["builtin/service-broken/web@a critical"]);
    act(cluster);
    cluster.settle();
    expect(standing(cluster)).toEqual([]);
  });

  test.each([
    {
      what: "a person takes it back",
      act: (cluster: TestCluster) => void cluster.ask("RuleEnableRequested", { file: "mine" }),
    },
    {
      what: "it is corrected",
      act: (cluster: TestCluster) => {
        const [rule] = filesOf(["mine"], []).rules;
        if (rule !== undefined)
          cluster.apply(clusterSpec([], { rules: [{ ...rule, blob: hashLike("other") }] }));
      },
    },
    {
      what: "it is removed",
      act: (cluster: TestCluster) => void cluster.apply(filesOf([], [])),
    },
  ])("for a rule file in quarantine, until $what", ({ act }) => {
    const cluster = new TestCluster();
    cluster.apply(filesOf(["mine"], []));
    const failure = { file: "mine", blob: hashLike("mine"), reason: "it loops" };
    cluster.observe("RuleFileFailed", failure);
    expect(alerts(cluster)).toMatchObject([
      { id: "builtin/rule-file-quarantined/mine", text: expect.stringContaining("it loops") },
    ]);
    act(cluster);
    expect(standing(cluster)).toEqual([]);
  });
});
