import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emit, restartNode } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { type Watch, watchPlan } from "./watch-plan.ts";

const nodeNames = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 12 });

function loads(names: readonly string[], plan: Watch): number[] {
  const watchers = [...plan.values()].flat();
  return names.map((name) => watchers.filter((one) => one === name).length);
}

/** Edges of the one that are not in the other. */
function differences(one: Watch, other: Watch): number {
  return [...one].flatMap(([node, watchers]) =>
    watchers.filter((watcher) => other.get(node)?.includes(watcher) !== true),
  ).length;
}

describe("who watches whose supervisor", () => {
  test("with three nodes or more each is watched by two others and watches two, whatever was before", () => {
    const before = fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), nodeNames);
    fc.assert(
      fc.property(nodeNames, before, (names, old) => {
        const plan = watchPlan(names, new Map(Object.entries(old)));
        const each = Math.min(2, Math.max(0, names.length - 1));
        expect([...plan.keys()].sort()).toEqual([...names].sort());
        for (const [node, watchers] of plan) {
          expect(new Set(watchers).size).toBe(each);
          expect(watchers).not.toContain(node);
          expect(names).toEqual(expect.arrayContaining([...watchers]));
        }
        expect(new Set(loads(names, plan))).toEqual(new Set(names.length === 0 ? [] : [each]));
      }),
    );
  });

  test("stays when the nodes stay, in whatever order they are told", () => {
    fc.assert(
      fc.property(nodeNames, (names) => {
        const plan = watchPlan(names, new Map());
        expect(watchPlan([...names].reverse(), plan)).toEqual(plan);
      }),
    );
  });

  test("moves a few edges only when one node goes or comes, however many there are", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 5, maxLength: 40 }),
        fc.nat(),
        (names, at) => {
          const plan = watchPlan(names, new Map());
          const left = names.filter((_, position) => position !== at % names.length);
          const fewer = watchPlan(left, plan);
          // Two lost their watcher; as many again change hands so that all have as much to do.
          expect(differences(fewer, plan)).toBeLessThanOrEqual(4);
          // The one that came is watched by two, and takes two over.
          expect(differences(watchPlan(names, fewer), fewer)).toBeLessThanOrEqual(6);
        },
      ),
    );
  });
});

function cluster(...names: readonly string[]): TestCluster {
  const made = new TestCluster();
  for (const name of names) made.addNode(name);
  made.settle();
  return made;
}

/** Who watches the supervisors, by node. */
function watchersIn({ state }: TestCluster): Record<string, string[]> {
  const all = state.graph.list("Supervisor").map(({ id }) => {
    const watchers = state.graph.in(`Supervisor/${id}`, "monitors", "Supervisor");
    return [id, watchers.map((watcher) => watcher.id)] as const;
  });
  return Object.fromEntries(all);
}

describe("the edges between supervisors", () => {
  test("follow the nodes as these come, are lost and come back", () => {
    const made = cluster("a", "b", "c", "d");
    const counts = () => Object.values(watchersIn(made)).map((watchers) => watchers.length);
    expect(counts()).toEqual([2, 2, 2, 2]);
    made.lose("d");
    made.tick(300);
    expect(watchersIn(made)).toEqual({ a: ["b", "c"], b: ["a", "c"], c: ["a", "b"], d: [] });
    made.connect("d");
    made.settle();
    expect(counts()).toEqual([2, 2, 2, 2]);
  });

  test("are let go of by a node that leaves", () => {
    const made = cluster("a", "b");
    expect(watchersIn(made)).toEqual({ a: ["b"], b: ["a"] });
    made.observe("NodeLeft", { node: "b", incarnation: 1 });
    expect(watchersIn(made)).toEqual({ a: [], b: [] });
  });

  test("do not move when a node only attaches again", () => {
    const made = cluster("a", "b", "c");
    const before = watchersIn(made);
    const changes = () =>
      made.records
        .slice(-2)
        .flatMap((record) => record.decisions.flatMap(({ firings }) => firings))
        .flatMap((firing) => firing.changes)
        .filter((change) => "relation" in change && change.relation.name === "monitors");
    made.cut("c");
    restartNode(made.node("c"));
    made.connect("c");
    made.settle();
    expect(watchersIn(made)).toEqual(before);
    expect(changes()).toEqual([]);
  });
});

describe("a supervisor that fails", () => {
  const failed = (incarnation = 1_001) => ({ node: "b", by: "a", incarnation, reason: "it hangs" });
  const started = (incarnation: number, command?: string) => ({
    node: "b",
    service: "halon-supervisor",
    instance: `halon-supervisor@b#${incarnation}`,
    incarnation,
    monitors: 3,
    ...(command === undefined ? {} : { command }),
  });
  const supervisorOf = (made: TestCluster) => made.state.graph.get("Supervisor", "b")?.attributes;
  const tell = (made: TestCluster, node: string, type: string, data: object) => {
    emit(made.node(node), type, data as never);
    made.settle();
  };

  test("is restarted once, however many watchers report it", () => {
    const made = cluster("a", "b", "c");
    tell(made, "b", "SupervisorStarted", started(1_001));
    tell(made, "a", "SupervisorFailed", failed());
    tell(made, "c", "SupervisorFailed", { ...failed(), by: "c" });
    expect(made.state.outbox.of("b").map(({ action }) => action)).toEqual([
      {
        type: "RestartSupervisor",
        service: "halon-supervisor",
        instance: "halon-supervisor@b#1001",
        reason: "it hangs",
      },
    ]);
    expect(supervisorOf(made)).toMatchObject({ state: "failed", reason: "c says: it hangs" });
  });

  test("runs again when it says so, and late news of the one before count for nothing", () => {
    const made = cluster("a", "b", "c");
    tell(made, "b", "SupervisorStarted", started(1_001));
    tell(made, "a", "SupervisorFailed", failed());
    const command = made.state.outbox.of("b")[0]?.id;
    tell(made, "b", "SupervisorStarted", started(1_002, command));
    const running = { node: "b", incarnation: 1_002, state: "running" };
    expect([supervisorOf(made), made.state.outbox.size]).toEqual([running, 0]);
    tell(made, "c", "SupervisorFailed", failed());
    tell(made, "b", "SupervisorStarted", started(1_001));
    expect([supervisorOf(made), made.state.outbox.size]).toEqual([running, 0]);
  });

  test("is asked again after a command that nobody answered", () => {
    const made = cluster("a", "b", "c");
    tell(made, "a", "SupervisorFailed", failed());
    made.tick(10_000);
    expect(supervisorOf(made)?.reason).toBe("it did not start again in time");
    tell(made, "a", "SupervisorFailed", failed());
    expect(made.state.outbox.countOf("b")).toBe(1);
  });

  test("of a node that is down is no news", () => {
    const made = cluster("a", "b", "c");
    made.lose("b");
    tell(made, "a", "SupervisorFailed", failed());
    expect(made.state.outbox.size).toBe(0);
    expect(made.whyOf("SupervisorFailed")).toBe("ignored: b is not up");
  });
});
