import { type AttributesOf, defineEvent, type EventEnvelope, events } from "@halon/protocol";
import { defineRules, on, z } from "@halon/rules";
import { describe, expect, test } from "vitest";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import { emit } from "../../testdata/scripted-node.ts";
import { TestCluster } from "../../testdata/test-cluster.ts";
import { ruleFilesKey } from "./rule-files.ts";
import { patternsIn } from "./state.ts";

const schema = z.strictObject({ n: z.number() });
const High = defineEvent({ type: "High", schema });
const heard: EventEnvelope[] = [];
const hears = defineRules({
  high: on(High).do(({ envelope, why }) => {
    heard.push(envelope);
    why("heard");
  }),
});

/** A file that takes Sample on nodes and publishes High. */
function nodeFile(more: object = {}) {
  return {
    name: "load",
    blob: hashLike("load"),
    runs: "node" as const,
    hears: ["Sample"],
    rules: ["high"],
    events: ["Sample", "High"].map((type) => ({ type, version: 1, schema: {} })),
    resources: {},
    patterns: {
      high: { type: "count", atLeast: 2, withinMs: 9, keysMax: 9, overflow: "oldest" } as const,
    },
    ...more,
  };
}

function applied(...rules: readonly object[]): TestCluster {
  const cluster = new TestCluster({ hears });
  cluster.addNode("a");
  cluster.settle();
  cluster.apply(clusterSpec([], { rules: rules as never }));
  cluster.settle();
  return cluster;
}

/** What the node's processor has published, as its next numbered event. */
function publish(cluster: TestCluster, type: string, data: object): void {
  const node = cluster.node("a");
  node.sequence += 1;
  const event = { type, version: 1, data: data as never, by: "load/high" };
  cluster.take({
    type: "numbered",
    source: "node/a",
    incarnation: node.incarnation,
    sequence: node.sequence,
    event,
  });
}

const processorOf = (cluster: TestCluster): AttributesOf<"Processor"> | undefined =>
  cluster.state.graph.get("Processor", "a")?.attributes;

describe("a rule file that runs on nodes", () => {
  test("is in the graph with what it takes; its patterns are not the coordinator's", () => {
    const { state } = applied(nodeFile());
    expect(state.graph.get("RuleFile", "load")?.attributes).toMatchObject({
      runs: "node",
      hears: ["Sample"],
    });
    expect([...patternsIn(state.graph).keys()]).toEqual([]);
  });

  test.each([
    { what: "is on its type", other: nodeFile({ name: "log", runs: undefined, hears: undefined }) },
    { what: "publishes its type from nodes", other: nodeFile({ name: "log", hears: ["Other"] }) },
  ])("is refused beside a file that $what, with both names", ({ other }) => {
    const cluster = new TestCluster({ hears });
    const operation = cluster.apply(clusterSpec([], { rules: [nodeFile(), other] as never }));
    cluster.settle();
    expect(cluster.operation(operation)).toMatchObject({
      state: "failed",
      reason: expect.stringMatching(
        /^rule file load takes Sample on each node, and rule file log has it in the decision log/,
      ),
    });
  });

  test("taken back by a person is another version for nodes that have it in quarantine", () => {
    const cluster = applied(nodeFile());
    const before = ruleFilesKey(cluster.state.graph);
    const files = [
      { file: "load", blob: hashLike("load"), state: "quarantined" as const, reason: "it loops" },
    ];
    emit(cluster.node("a"), "ProcessorChanged", { node: "a", files });
    cluster.settle();
    expect(processorOf(cluster)?.files).toEqual(files);
    cluster.ask("RuleEnableRequested", { file: "load" });
    expect(cluster.state.graph.get("RuleFile", "load")?.attributes.released).toBe(1);
    // The coordinator has nothing to load because of that.
    expect(ruleFilesKey(cluster.state.graph)).toBe(before);
    cluster.apply(clusterSpec([], { rules: [nodeFile({ blob: hashLike("new") })] as never }));
    expect(cluster.state.graph.get("RuleFile", "load")?.attributes.released).toBe(1);
  });
});

describe("what a processor publishes", () => {
  test("is an event of the log, once by its number, with the rule that published it as its source", () => {
    const cluster = applied(nodeFile());
    heard.length = 0;
    publish(cluster, "High", { n: 1 });
    cluster.node("a").sequence -= 1;
    publish(cluster, "High", { n: 1 });
    expect(heard.map(({ source, data }) => [source, data])).toEqual([
      ["node/a/load/high", { n: 1 }],
    ]);
  });

  test.each([
    { what: "of no declared type", type: "Strange", data: {}, reason: "no rule file in force" },
    { what: "not of its schema", type: "High", data: { n: "1" }, reason: "High: n:" },
    {
      what: "of Halon itself",
      type: "ServiceStopRequested",
      data: {},
      reason: "nodes do not send",
    },
  ])("is a dead letter when it is $what", ({ type, data, reason }) => {
    const cluster = applied(nodeFile());
    publish(cluster, type, data);
    expect(cluster.records.at(-1)?.decisions[0]?.dead).toContain(reason);
  });
});

test("what a node tells of its processor is decided, and goes with the node", () => {
  const cluster = applied(nodeFile());
  const node = cluster.node("a");
  const blob = hashLike("load");
  emit(node, "ProcessorChanged", { node: "a", files: [{ file: "load", blob, state: "loaded" }] });
  emit(node, "ProcessorRestarted", { node: "a", lost: 3, reason: "its thread ended" });
  emit(node, "ProcessorFileFailed", { node: "a", file: "load", blob, reason: "it loops" });
  cluster.settle();
  for (const { type } of [events.ProcessorRestarted, events.ProcessorFileFailed])
    expect(cluster.decided(type)).toHaveLength(1);
  expect(processorOf(cluster)?.files).toHaveLength(1);
  cluster.ask("NodeDrainRequested", { node: "a" });
  cluster.ask("NodeRemoveRequested", { node: "a" });
  expect(processorOf(cluster)).toBeUndefined();
});
