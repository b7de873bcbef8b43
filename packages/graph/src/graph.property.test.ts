import {
  canonicalJson,
  type GraphUpdate,
  type GraphView,
  HalonError,
  type ResourceKey,
} from "@halon/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { instance, node, service, slot, tcpPort } from "../testdata/samples.ts";
import { createGraph, type Graph } from "./graph.ts";
import { relationTable } from "./relations.ts";
import { fromJSON, toJSON } from "./snapshot.ts";
import { allRelations, allResources } from "./walk.ts";

const attributes: Readonly<Record<string, readonly object[]>> = {
  Node: [node, { ...node, state: "down", labels: { b: "1", a: "2" } }],
  ServiceName: [slot("web", "n"), slot("db", "m")],
  ServiceInstance: [instance("web", "n", 1), { ...instance("db", "n", 1), state: "failed" }],
  Service: [service, { ...service, resourceKinds: ["TcpPort"] }],
  Configuration: [{ value: {} }, { value: { z: [1, { y: 2, x: 3 }], a: null } }],
  Supervisor: [{ node: "n" }, { node: "m" }],
  TcpPort: [{ port: 1 }, { port: 2 }],
  Kind: [{ schema: tcpPort.schema }, { schema: { type: "object" } }],
};

const id = fc.constantFrom("a", "b", "__proto__", "constructor", "c/d");
const kind = fc.constantFrom(...Object.keys(attributes));
const key = fc
  .tuple(kind, id)
  .map(([of, named]): ResourceKey => `${of}/${of === "Kind" ? "TcpPort" : named}`);
const relation = fc
  .tuple(fc.constantFrom(...relationTable), id, id, key)
  .map(([row, near, far, any]) => ({
    from: `${row.from}/${near}` as ResourceKey,
    name: row.name,
    to: row.to === "user-defined" ? any : (`${row.to}/${far}` as ResourceKey),
  }));

type Operation = (update: GraphUpdate) => void;

const put = fc.tuple(key, fc.nat(1)).map(
  ([to, which]): Operation =>
    (update) => {
      const slash = to.indexOf("/");
      const of = to.slice(0, slash);
      update.put<string>(of, to.slice(slash + 1), { ...attributes[of]?.[which] });
    },
);
const remove = key.map(
  (to): Operation =>
    (update) => {
      const slash = to.indexOf("/");
      update.remove(to.slice(0, slash), to.slice(slash + 1));
    },
);
const relate = relation.map(
  ({ from, name, to }): Operation =>
    (update) =>
      update.relate(from, name, to),
);
const unrelate = relation.map(
  ({ from, name, to }): Operation =>
    (update) =>
      update.unrelate(from, name, to),
);

const operation = fc.oneof(
  { weight: 5, arbitrary: put },
  { weight: 1, arbitrary: remove },
  { weight: 6, arbitrary: relate },
  { weight: 1, arbitrary: unrelate },
);
const operations = fc.array(operation, { maxLength: 40 });
const transactions = fc.array(operations, { minLength: 1, maxLength: 5 });

/** A refusal is an outcome like any other; every other error is a bug. */
function attempt(update: GraphUpdate, each: Operation): void {
  try {
    each(update);
  } catch (error) {
    if (!(error instanceof HalonError)) throw error;
  }
}

/** All that can be read, by every way of reading it. */
function everything(view: GraphView): string {
  const resources = allResources(view);
  const lookups = ["web", "db"].flatMap((name) => [
    view.list("ServiceInstance", { service: name, node: "n" }),
    view.list("ServiceName", { service: name }),
  ]);
  const states = ["running", "failed"].map((state) => view.list("ServiceInstance", { state }));
  const ends = resources.flatMap((each) =>
    relationTable.map(({ name }) => [
      view.out(`${each.kind}/${each.id}`, name),
      view.in(`${each.kind}/${each.id}`, name),
    ]),
  );
  return canonicalJson([toJSON(view), lookups, states, ends]);
}

function filled(all: readonly (readonly Operation[])[]): Graph {
  const graph = createGraph();
  graph.defineKind(tcpPort);
  for (const some of all) {
    graph.transact((update) => {
      for (const each of some) attempt(update, each);
    });
  }
  return graph;
}

test("every delta, applied to a copy, gives an equal graph", () => {
  fc.assert(
    fc.property(transactions, (all) => {
      const graph = createGraph();
      const copy = createGraph();
      copy.apply(graph.defineKind(tcpPort));
      for (const some of all) {
        const delta = graph.transact((update) => {
          for (const each of some) attempt(update, each);
        });
        copy.apply(JSON.parse(JSON.stringify(delta)));
        expect(everything(copy)).toBe(everything(graph));
      }
    }),
    { numRuns: 150 },
  );
});

test("a rollback gives the graph from before, from any savepoint", () => {
  fc.assert(
    fc.property(transactions, operations, operations, (all, first, second) => {
      const graph = filled(all);
      const before = everything(graph);
      const transaction = graph.begin();
      for (const each of first) attempt(transaction.update, each);
      const between = everything(graph);
      const savepoint = transaction.savepoint();
      for (const each of second) attempt(transaction.update, each);
      transaction.rollbackTo(savepoint);
      expect(everything(graph)).toBe(between);
      transaction.rollback();
      expect(everything(graph)).toBe(before);
    }),
    { numRuns: 150 },
  );
});

test("a snapshot gives an equal graph, which goes on equally", () => {
  fc.assert(
    fc.property(transactions, operations, (all, more) => {
      const graph = filled(all);
      const restored = fromJSON(JSON.parse(canonicalJson(toJSON(graph))));
      expect(everything(restored)).toBe(everything(graph));
      const [a, b] = [graph, restored].map((each) =>
        each.transact((update) => {
          for (const one of more) attempt(update, one);
        }),
      );
      expect(a).toEqual(b);
    }),
    { numRuns: 100 },
  );
});

test("the order of arrival is not visible anywhere", () => {
  const shuffled = fc.tuple(
    transactions,
    fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
  );
  fc.assert(
    fc.property(shuffled, ([all, random]) => {
      const { resources, relations } = toJSON(filled(all));
      const shuffle = <T>(list: readonly T[]): readonly T[] =>
        list
          .map((value) => ({ value, at: Number(random.next().value) }))
          .sort((a, b) => a.at - b.at)
          .map(({ value }) => value);
      const isDefinition = (each: { readonly kind: string }) => each.kind === "Kind";
      const graphs = [1, 2].map(() => {
        const graph = createGraph();
        graph.transact((update) => {
          const shuffled = shuffle(resources);
          const definitionsFirst = [
            ...shuffled.filter(isDefinition),
            ...shuffled.filter((each) => !isDefinition(each)),
          ];
          for (const each of definitionsFirst)
            update.put<string>(each.kind, each.id, each.attributes);
          for (const { from, name, to } of shuffle(relations)) update.relate(from, name, to);
        });
        return graph;
      });
      // A transaction that changes nothing keeps the revision.
      const revision = resources.length === 0 ? 0 : 1;
      expect(toJSON(graphs[0] ?? createGraph())).toEqual({ revision, resources, relations });
      const [a, b] = graphs.map(everything);
      expect(a).toBe(b);
    }),
    { numRuns: 100 },
  );
});

test("no cardinality is ever exceeded, and every relation has its ends", () => {
  fc.assert(
    fc.property(transactions, (all) => {
      const graph = filled(all);
      const keys = new Set(allResources(graph).map((each) => `${each.kind}/${each.id}`));
      const taken = new Set<string>();
      const takes = (end: string) => {
        expect(taken).not.toContain(end);
        taken.add(end);
      };
      for (const { from, name, to } of allRelations(graph)) {
        expect(keys.has(from) && keys.has(to)).toBe(true);
        const [fromKind, toKind] = [from, to].map((each) => each.slice(0, each.indexOf("/")));
        const row = relationTable.find(
          (each) =>
            each.name === name &&
            each.from === fromKind &&
            (each.to === toKind || each.to === "user-defined"),
        );
        if (row?.cardinality.startsWith("1")) takes(`${name} ${row.from} near end of ${to}`);
        if (row?.cardinality.endsWith("1")) takes(`${name} ${row.to} far end of ${from}`);
        expect(row).toBeDefined();
      }
    }),
    { numRuns: 150 },
  );
});
