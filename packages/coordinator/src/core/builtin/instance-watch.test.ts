import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../../testdata/samples.ts";
import { emit, fail, restartNode } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { instanceWatchPlan, type Watch, type WatchedInstance } from "./watch-plan.ts";

const nodeName = fc.stringMatching(/^[a-f]$/);
const instances = fc
  .array(
    fc.record({
      node: nodeName,
      wanted: fc.integer({ min: 0, max: 3 }),
      watchers: fc.uniqueArray(nodeName, { maxLength: 3 }),
    }),
    { maxLength: 30 },
  )
  .map((all) =>
    all.map(
      (each, at): WatchedInstance => ({
        ...each,
        id: `i${at}`,
        watchers: each.watchers.filter((watcher) => watcher !== each.node),
      }),
    ),
  );

function loadOf(plan: Iterable<readonly string[]>): Map<string, number> {
  const load = new Map<string, number>();
  for (const watcher of [...plan].flat()) load.set(watcher, (load.get(watcher) ?? 0) + 1);
  return load;
}

/** The plan, and what it is held against. */
function planned(names: readonly string[], all: readonly WatchedInstance[]) {
  const plan = instanceWatchPlan(names, loadOf(all.map(({ watchers }) => watchers)), all);
  return { plan, load: loadOf(plan.values()) };
}

const withPlan = (all: readonly WatchedInstance[], plan: Watch) =>
  all.map((each) => ({ ...each, watchers: plan.get(each.id) ?? [] }));

describe("who watches instances from other nodes", () => {
  test("is as many as wanted where there are enough nodes, and never their own", () => {
    fc.assert(
      fc.property(fc.uniqueArray(nodeName), instances, (names, all) => {
        const { plan } = planned(names, all);
        for (const { id, node, wanted } of all) {
          const watchers = plan.get(id) ?? [];
          const others = names.filter((name) => name !== node);
          expect(new Set(watchers).size).toBe(Math.min(wanted, others.length));
          expect(others).toEqual(expect.arrayContaining([...watchers]));
        }
      }),
    );
  });

  test("is spread so that no single change would even it out more", () => {
    fc.assert(
      fc.property(fc.uniqueArray(nodeName), instances, (names, all) => {
        const { plan, load } = planned(names, all);
        const of = (node: string) => load.get(node) ?? 0;
        for (const { id, node } of all) {
          const watchers = plan.get(id) ?? [];
          const idle = names.filter((name) => name !== node && !watchers.includes(name));
          for (const watcher of watchers)
            for (const other of idle) expect(of(watcher) - of(other)).toBeLessThan(2);
        }
      }),
    );
  });

  test("stays when nothing changes, and moves what the gone node watched and no more", () => {
    fc.assert(
      fc.property(fc.uniqueArray(nodeName, { minLength: 2 }), instances, (names, all) => {
        const before = withPlan(all, planned(names, all).plan);
        expect(planned([...names].reverse(), before).plan).toEqual(
          new Map(before.map(({ id, watchers }) => [id, watchers])),
        );
        const [gone = "", ...left] = names;
        const load = loadOf(before.map(({ watchers }) => watchers));
        const orphans = before.filter(({ watchers }) => watchers.includes(gone));
        const after = instanceWatchPlan(left, load, orphans);
        for (const { id } of orphans) expect(after.get(id)).not.toContain(gone);
        expect(after.size).toBe(orphans.length);
        expect(watchersMissing(left, withPlan(orphans, after))).toEqual([]);
      }),
    );
  });
});

function watchersMissing(names: readonly string[], all: readonly WatchedInstance[]): string[] {
  return all
    .filter(({ node, wanted, watchers }) => {
      return watchers.length < Math.min(wanted, names.filter((name) => name !== node).length);
    })
    .map(({ id }) => id);
}

/** Nodes a, b, c and so on, and a service on every one of them that so many others watch. */
function cluster(names: readonly string[], watchers: number): TestCluster {
  const made = new TestCluster();
  for (const name of names) made.addNode(name);
  made.settle();
  made.apply(
    clusterSpec([deployment("web", { on: "every-node" })], {
      types: [manifest("web", { watchers })],
    }),
  );
  made.settle();
  return made;
}

function foreign({ state }: TestCluster): Record<string, readonly string[]> {
  return Object.fromEntries(
    state.graph.list("ServiceInstance", { service: "web" }).map(({ id, attributes }) => {
      const watchers = state.graph.in(`ServiceInstance/${id}`, "monitors", "Supervisor");
      return [id, watchers.map((each) => each.id).filter((each) => each !== attributes.node)];
    }),
  );
}

describe("the edges to instances of other nodes", () => {
  test("are there from the start, go with the instance and are those of the next one", () => {
    const made = cluster(["a", "b", "c"], 1);
    expect(foreign(made)).toEqual({ "web@a#1": ["b"], "web@b#1": ["a"], "web@c#1": ["a"] });
    fail(made.node("a"), "web@a#1", 60_000);
    made.settle();
    expect(foreign(made)).toEqual({ "web@a#2": ["b"], "web@b#1": ["a"], "web@c#1": ["a"] });
  });

  test("are of as many nodes as there are, and of more when these come", () => {
    const made = cluster(["a", "b"], 2);
    expect(foreign(made)).toEqual({ "web@a#1": ["b"], "web@b#1": ["a"] });
    made.addNode("c");
    made.settle();
    expect(foreign(made)).toEqual({
      "web@a#1": ["b", "c"],
      "web@b#1": ["a", "c"],
      "web@c#1": ["a", "b"],
    });
  });

  test("are taken over from a node that is lost, and shared with it when it is back", () => {
    const made = cluster(["a", "b", "c", "d"], 1);
    made.lose("d");
    made.tick(300);
    const counts = () =>
      ["a", "b", "c", "d"].map(
        (name) =>
          Object.values(foreign(made))
            .flat()
            .filter((each) => each === name).length,
      );
    expect(counts()[3]).toBe(0);
    expect(Object.values(foreign(made)).every((watchers) => watchers.length === 1)).toBe(true);
    made.connect("d");
    made.settle();
    expect(counts()).toEqual([1, 1, 1, 1]);
  });

  test("are none where the type asks for none", () => {
    expect(Object.values(foreign(cluster(["a", "b", "c"], 0))).flat()).toEqual([]);
  });

  test("agree with the nodes that are there, and the counts beside them, whatever comes and goes", () => {
    const names = ["a", "b", "c", "d"];
    const step = fc.tuple(
      fc.constantFrom("lose", "leave", "come", "fail", "doubt"),
      fc.constantFrom(...names),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const made = cluster(names, 2);
        for (const [what, name] of steps) act(made, what, name);
        // What failed waits for its restart.
        made.tick(60_000);
        made.settle();
        const { graph } = made.state;
        const there = graph
          .list("Node")
          .filter(({ attributes }) => attributes.state !== "down")
          .map(({ id }) => id);
        const edges = foreign(made);
        for (const [id, watchers] of Object.entries(edges)) {
          const { node, doubts = [] } = made.instance(id);
          const others = there.filter((each) => each !== node);
          expect(others, id).toEqual(expect.arrayContaining([...watchers]));
          expect(watchers.length, id).toBe(Math.min(2, others.length));
          expect(watchers).toEqual(expect.arrayContaining(doubts.map(({ by }) => by)));
        }
        const counts = names.map((name) => memoryOf(made, `watching/${name}`) ?? 0);
        expect(Object.fromEntries(names.map((name, at) => [name, counts[at]]))).toEqual(
          Object.fromEntries(
            names.map((name) => [
              name,
              Object.values(edges)
                .flat()
                .filter((each) => each === name).length,
            ]),
          ),
        );
      }),
      { numRuns: 60 },
    );
  });
});

function memoryOf({ state }: TestCluster, key: string): unknown {
  return state.memories.get("builtin")?.get(key);
}

function act(made: TestCluster, what: string, name: string): void {
  const node = made.node(name);
  if (what === "lose" && node.isLinked) {
    made.lose(name);
    made.tick(300);
  } else if (what === "leave" && node.isLinked) {
    made.cut(name);
    made.observe("NodeLeft", { node: name, incarnation: node.incarnation });
  } else if (what === "come" && !node.isLinked) {
    restartNode(node);
    made.connect(name);
  } else if (what === "fail") {
    for (const instance of Object.keys(node.running)) fail(node, instance, 60_000);
  } else if (what === "doubt" && node.isLinked) {
    for (const [instance, watchers] of Object.entries(foreign(made))) {
      const home = made.instance(instance).node;
      const data = { node: home, service: "web", instance, by: name, reason: "silent" };
      if (watchers.includes(name)) emit(node, "InstanceDoubted", data);
    }
  }
  made.settle();
}
