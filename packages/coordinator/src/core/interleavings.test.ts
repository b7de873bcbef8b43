import type { Json } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { type Budget, type Explored, explore } from "../../testdata/explore.ts";
import { clusterSpec, deployment, manifest } from "../../testdata/samples.ts";
import { TestCluster } from "../../testdata/test-cluster.ts";

const none: Budget = { cut: 0, lose: 0, restart: 0, fail: 0, early: 0 };

const spec = (kind: "worker" | "process") =>
  clusterSpec([deployment("web")], { types: [manifest("web", { kind })] });

/** A cluster of one node; with `web` running there, unless only the node is wanted. */
function begun(kind: "worker" | "process" | "nothing"): TestCluster {
  const cluster = new TestCluster();
  cluster.addNode("a");
  cluster.settle();
  if (kind === "nothing") return cluster;
  cluster.apply(spec(kind));
  cluster.settle();
  return cluster;
}

interface Scenario {
  readonly name: string;
  readonly from: "worker" | "process" | "nothing";
  readonly asks: readonly {
    readonly type: string;
    readonly data: { readonly [key: string]: Json };
  }[];
  /** What must run in the end. */
  readonly runs: boolean;
}

const applied = (kind: "worker" | "process") => ({
  type: "ClusterApplied",
  data: { operation: "apply", spec: spec(kind) as unknown as Json },
});
const asked = (verb: "Start" | "Stop" | "Restart" | "Check") => ({
  type: `Service${verb}Requested`,
  data: { operation: verb, service: "web" },
});
const removed = {
  type: "ClusterApplied",
  data: { operation: "remove", spec: clusterSpec([]) as unknown as Json },
};

const scenarios: readonly Scenario[] = [
  { name: "start", from: "nothing", asks: [applied("worker")], runs: true },
  { name: "stop", from: "worker", asks: [asked("Stop")], runs: false },
  { name: "restart", from: "worker", asks: [asked("Restart")], runs: true },
  { name: "restart of a process", from: "process", asks: [asked("Restart")], runs: true },
  { name: "stop, then start", from: "process", asks: [asked("Stop"), asked("Start")], runs: true },
  { name: "removal", from: "process", asks: [removed], runs: false },
  { name: "check", from: "worker", asks: [asked("Check")], runs: true },
];

const budgets: readonly { readonly name: string; readonly budget: Budget }[] = [
  { name: "the link is cut twice, the node lost", budget: { ...none, cut: 2, lose: 1 } },
  { name: "the node restarts", budget: { ...none, cut: 1, restart: 1, lose: 1 } },
  { name: "the service fails, the link is cut", budget: { ...none, cut: 1, fail: 1 } },
  { name: "a timer comes early, the link is cut", budget: { ...none, cut: 1, early: 1 } },
];

function run({ from, asks }: Scenario, budget: Budget): Explored {
  const cluster = begun(from);
  const { state, now } = cluster;
  return explore(
    { state, node: cluster.node("a"), wire: [], now, observed: 1, asks, budget },
    cluster.rules,
  );
}

/** What is wrong with a state in which nothing can happen any more; empty when all is well. */
function flaws(
  { state, node }: Explored["ends"][number],
  { runs, maySpoil }: { readonly runs: boolean; readonly maySpoil: boolean },
): string[] {
  const failures = state.memories.get("builtin")?.get("failures/web@a");
  const wanted = runs ? ["web"] : [];
  const real = Object.values(node.running).map(({ instance, state: is }) => `${instance} ${is}`);
  const seen = state.graph
    .list("ServiceInstance")
    .filter(({ attributes }) => !["stopped", "failed"].includes(attributes.state))
    .map(({ id, attributes }) => `${id} ${attributes.state}`);
  const alive = Object.values(node.running).map(({ service }) => service);
  const running = state.graph.list("Operation", { state: "running" }).map(({ id }) => id);
  return [
    ...(real.join() === seen.join() ? [] : [`runs ${real}, the graph says ${seen}`]),
    ...(alive.join() === wanted.join() ? [] : [`runs ${real}, wanted is ${wanted}`]),
    ...(state.outbox.size === 0 ? [] : [`${state.outbox.size} commands are outstanding`]),
    ...(Object.keys(node.waiting).length === 0 ? [] : ["a start waits for ever"]),
    ...(running.length === 0 ? [] : [`operations never end: ${running}`]),
    ...(maySpoil || failures === undefined ? [] : ["a failure is held against the service"]),
  ];
}

describe.each(scenarios)("all interleavings of $name", (scenario) => {
  test.each(budgets)(
    "when $name: the graph is what runs, and what runs is what is wanted",
    ({ budget }) => {
      const { ends } = run(scenario, budget);
      const broken = ends.flatMap((end) => {
        const found = flaws(end, { runs: scenario.runs, maySpoil: budget.fail > 0 });
        return found.length === 0 ? [] : [{ found, way: end.way() }];
      });
      expect(broken.sort((a, b) => a.way.length - b.way.length)[0]).toBeUndefined();
      expect(ends.length).toBeGreaterThan(0);
    },
  );
});
