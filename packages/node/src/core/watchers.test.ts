import { createGraph } from "@halon/graph";
import { type Change, keyOf } from "@halon/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { watchersOf } from "./watchers.ts";

function graphOf(
  nodes: Readonly<Record<string, "up" | "suspect" | "down">>,
  monitors: readonly (readonly [watcher: string, watched: string])[] = [],
) {
  const graph = createGraph();
  const resources = Object.entries(nodes).flatMap(([name, state]): Change[] => [
    {
      type: "put",
      key: keyOf("Node", name),
      before: null,
      after: {
        address: "127.0.0.1:1",
        role: "satellite",
        state,
        incarnation: 1,
        labels: {},
        version: "0.1.0",
        since: 0,
      },
    },
    { type: "put", key: keyOf("Supervisor", name), before: null, after: { node: name } },
  ]);
  const relations = monitors.map(
    ([watcher, watched]): Change => ({
      type: "relate",
      relation: {
        from: keyOf("Supervisor", watcher),
        name: "monitors",
        to: keyOf("Supervisor", watched),
      },
    }),
  );
  graph.apply({ revision: 1, changes: [...resources, ...relations] });
  return graph;
}

test("while no supervisors are set over each other, the two that follow by name watch a node", () => {
  const graph = graphOf({ d: "up", a: "up", c: "suspect", b: "up" });
  expect(Object.fromEntries(watchersOf(graph))).toEqual({
    a: ["b", "c"],
    b: ["c", "d"],
    c: ["d", "a"],
    d: ["a", "b"],
  });
});

test("who monitors the supervisor of a node watches the node; one that is down does not", () => {
  const edges = [
    ["c", "a"],
    ["d", "a"],
    ["d", "b"],
  ] as const;
  const graph = graphOf({ a: "up", b: "up", c: "up", d: "down" }, edges);
  expect(Object.fromEntries(watchersOf(graph))).toEqual({
    a: ["c"],
    b: ["c", "a"],
    c: ["a", "b"],
  });
});

test("nobody watches itself, and each watches as many as watch it", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 1, maxLength: 12 }),
      (names) => {
        const watchers = watchersOf(graphOf(Object.fromEntries(names.map((name) => [name, "up"]))));
        const count = Math.min(2, Math.max(0, names.length - 1));
        for (const name of names) {
          expect(new Set(watchers.get(name)).size).toBe(count);
          expect(watchers.get(name)).not.toContain(name);
          expect([...watchers.values()].filter((some) => some.includes(name))).toHaveLength(count);
        }
      },
    ),
  );
});
