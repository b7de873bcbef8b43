import { canonicalJson, defineEvent, events } from "@halon/protocol";
import { defineInvariant, defineRules, on, type Rules, z } from "@halon/rules";
import { expect, test } from "vitest";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import { TestCluster } from "../../testdata/test-cluster.ts";
import { fold } from "./fold.ts";
import { encodeSnapshot } from "./snapshot.ts";
import { emptyState } from "./state.ts";

const Put = defineEvent({ type: "Put", schema: z.strictObject({ id: z.string(), n: z.number() }) });
const Nothing = defineEvent({ type: "Nothing", schema: z.strictObject({}) });
const Thing = z.object({ n: z.number() });

/** How often invariants were asked. */
let asked = 0;
const small = defineInvariant("small", {
  reads: ["Thing"],
  holds: ({ graph }) => {
    asked += 1;
    const large = graph.list("Thing").find(({ attributes }) => Number(attributes["n"]) > 9);
    return large === undefined || `${large.id} is ${large.attributes["n"]}`;
  },
});

const put = on(Put).do(({ event, update }) =>
  update.put<string>("Thing", event.id, { n: event.n }),
);
const nothing = on(Nothing).do(() => undefined);

function clusterOf(rules: Rules): TestCluster {
  const cluster = new TestCluster({ mine: rules });
  const invariants = (rules.invariants ?? []).map(({ name }) => name);
  const file = { name: "mine", blob: hashLike("mine"), rules: [], events: [], invariants };
  const kinds = { Thing: { type: "object", properties: { n: { type: "number" } } } };
  cluster.apply(clusterSpec([], { rules: [{ ...file, resources: kinds }] }));
  cluster.take();
  return cluster;
}

const withSmall = () =>
  clusterOf(defineRules({ put, nothing }, { invariants: [small], resources: { Thing } }));

const last = ({ records }: TestCluster) =>
  records.at(-1)?.decisions.map(({ event }) => event.type) ?? [];
const state = (cluster: TestCluster) =>
  cluster.state.graph.get("Invariant", "mine/small")?.attributes;

test("an invariant that stops to hold is told once, as the last decision of the record, until it holds again", () => {
  const cluster = withSmall();
  cluster.emit("Put", { id: "a", n: 10 });
  expect(last(cluster)).toEqual(["Put", "InvariantBroken"]);
  expect(cluster.decided("InvariantBroken")[0]?.data).toEqual({
    invariant: "mine/small",
    reason: "a is 10",
  });
  expect(state(cluster)).toMatchObject({ state: "broken", reason: "a is 10" });
  cluster.take();
  cluster.emit("Put", { id: "a", n: 11 });
  expect(last(cluster)).toEqual(["Put"]);
  cluster.emit("Put", { id: "a", n: 1 });
  expect(last(cluster)).toEqual(["Put", "InvariantHolds"]);
  expect(state(cluster)).toMatchObject({ state: "holds" });
  expect(state(cluster)).not.toHaveProperty("reason");
});

test("it is asked once a record, of what the record leaves", () => {
  const cluster = withSmall();
  asked = 0;
  const inputs = [10, 11, 3].map((n, at) => ({
    type: "client" as const,
    id: `c-${at}`,
    event: { type: "Put", version: 1, data: { id: "a", n } },
  }));
  cluster.take(...inputs);
  expect([asked, cluster.decided("InvariantBroken")]).toEqual([1, []]);
});

test("it is not asked when no resource of its kinds has changed", () => {
  const cluster = withSmall();
  asked = 0;
  cluster.emit("Nothing", {});
  cluster.observe("NodeSuspected", { node: "a", incarnation: 1, reason: "silent" });
  expect(asked).toBe(0);
});

test("it is asked when its file comes into force", () => {
  const cluster = withSmall();
  cluster.emit("Put", { id: "a", n: 10 });
  cluster.apply(clusterSpec([], { prune: true }));
  expect(state(cluster)).toBeUndefined();
  const file = { name: "mine", blob: hashLike("mine"), rules: [], events: [], resources: {} };
  cluster.apply(clusterSpec([], { rules: [{ ...file, invariants: ["small"] }] }));
  cluster.take();
  expect(state(cluster)).toMatchObject({ state: "broken" });
});

test("a rule may mend what was broken, and the next record says that it holds", () => {
  const mend = on(events.InvariantBroken).do(({ update }) => update.remove("Thing", "a"));
  const about = { invariants: [small], resources: { Thing } };
  const cluster = clusterOf(defineRules({ put, mend }, about));
  cluster.emit("Put", { id: "a", n: 10 });
  cluster.take();
  expect(cluster.decided("InvariantHolds")).toHaveLength(1);
  expect(state(cluster)).toMatchObject({ state: "holds" });
});

test.each([
  [
    "throws",
    () => {
      throw new Error("no way");
    },
    "Error: no way",
  ],
  ["gives a promise", async () => true, "holds gave a promise"],
  ["gives false", () => false, "holds gave false; it gives true, or a text"],
] as [string, () => never, string][])(
  "one that %s fails as a rule does, and breaks nothing",
  (_, holds, reason) => {
    const bad = defineInvariant("bad", { reads: ["Thing"], holds });
    const cluster = clusterOf(defineRules({ put }, { invariants: [bad], resources: { Thing } }));
    cluster.emit("Put", { id: "a", n: 1 });
    expect(last(cluster)).toEqual(["Put", "RuleFailed"]);
    expect(cluster.decided("RuleFailed").at(-1)?.data).toMatchObject({
      rule: "mine/bad",
      reason: expect.stringContaining(reason),
    });
    expect(cluster.state.graph.list("Invariant")).toEqual([]);
  },
);

test("it sees a graph that it cannot change", () => {
  const bad = defineInvariant("bad", {
    reads: ["Thing"],
    holds: ({ graph }) => {
      for (const { attributes } of graph.list("Thing")) Object.assign(attributes, { n: 0 });
      return true;
    },
  });
  const cluster = clusterOf(defineRules({ put }, { invariants: [bad], resources: { Thing } }));
  cluster.emit("Put", { id: "a", n: 1 });
  expect(cluster.decided("RuleFailed").at(-1)?.data).toMatchObject({
    reason: expect.stringContaining("read only property"),
  });
});

test("the log alone gives the same state: whoever folds it asks no invariant", () => {
  const cluster = withSmall();
  for (const n of [1, 10, 12, 3, 20]) {
    cluster.emit("Put", { id: "a", n });
    cluster.take();
  }
  asked = 0;
  const folded = emptyState();
  for (const record of cluster.records) fold(folded, JSON.parse(canonicalJson(record)));
  expect(encodeSnapshot(folded)).toBe(encodeSnapshot(cluster.state));
  expect(asked).toBe(0);
});
