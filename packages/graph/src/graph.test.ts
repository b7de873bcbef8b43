import type { Delta, GraphUpdate, HalonError, JsonObject } from "@halon/protocol";
import { expect, test } from "vitest";
import { instance, node, putWeb, service, slot, tcpPort } from "../testdata/samples.ts";
import { createGraph, type Graph, type GraphEditor } from "./graph.ts";
import { toJSON } from "./snapshot.ts";

function webGraph(): Graph {
  const graph = createGraph();
  graph.transact(putWeb);
  return graph;
}

function refusal(act: () => void): HalonError {
  try {
    act();
  } catch (error) {
    return error as HalonError;
  }
  throw new Error("expected a refusal");
}

test("a transaction yields its changes with what stood there before, and one revision more", () => {
  const graph = webGraph();
  const delta = graph.transact((update) => {
    update.patch("Node", "node-1", { state: "down" });
    update.unrelate("ServiceInstance/web@node-1#1", "holds", "ServiceName/web@node-1");
  });
  expect(delta).toEqual({
    revision: 2,
    changes: [
      { type: "put", key: "Node/node-1", before: node, after: { ...node, state: "down" } },
      {
        type: "unrelate",
        relation: {
          from: "ServiceInstance/web@node-1#1",
          name: "holds",
          to: "ServiceName/web@node-1",
        },
      },
    ],
  });
});

test("what is there already is no change, and no change is no revision", () => {
  const graph = webGraph();
  expect(graph.transact(putWeb)).toEqual({ revision: 1, changes: [] });
  expect(
    graph.transact((update) => {
      update.remove("Node", "node-9");
      update.unrelate("Node/node-9", "runs", "ServiceInstance/x");
    }),
  ).toEqual({ revision: 1, changes: [] });
});

test("a transaction that throws is undone as a whole, and its error goes on", () => {
  const graph = webGraph();
  const before = toJSON(graph);
  const error = new Error("the rule's own");
  const act = () =>
    graph.transact((update) => {
      update.remove("Node", "node-1");
      update.put("Node", "node-2", node);
      throw error;
    });
  expect(act).toThrow(error);
  expect(toJSON(graph)).toEqual(before);
  expect(graph.transact(() => {})).toEqual({ revision: 1, changes: [] });
});

test("a copy is equal, keeps what its ends allow, and changes by itself", () => {
  const graph = webGraph();
  const before = toJSON(graph);
  const copy = graph.copy();
  expect(toJSON(copy)).toEqual(before);
  expect(copy.list("ServiceInstance", { state: "running" })).toEqual(
    graph.list("ServiceInstance", { state: "running" }),
  );
  expect(() =>
    copy.transact((update) => {
      update.put("ServiceName", "web@other", slot("web", "other"));
      update.relate("ServiceInstance/web@node-1#1", "holds", "ServiceName/web@other");
    }),
  ).toThrow(/is 1:1/);
  copy.transact((update) => {
    update.patch("Node", "node-1", { state: "down" });
    update.unrelate("ServiceInstance/web@node-1#1", "holds", "ServiceName/web@node-1");
  });
  expect(toJSON(graph)).toEqual(before);
  expect(graph.get("Node", "node-1")?.attributes.state).toBe("up");
});

test("a graph in a transaction is not copied", () => {
  const graph = webGraph();
  graph.begin();
  expect(refusal(() => graph.copy())).toMatchObject({ code: "HAL_CONFLICT" });
});

test("reads in a transaction see its changes", () => {
  webGraph().transact((update) => {
    update.patch("ServiceInstance", "web@node-1#2", { state: "stopped" });
    expect(update.list("ServiceInstance", { state: "failed" })).toEqual([]);
    expect(update.list("ServiceInstance", { state: "stopped" })).toHaveLength(1);
  });
});

test("each savepoint has its own changes and is undone alone", () => {
  const graph = createGraph();
  const transaction = graph.begin();
  transaction.update.put("Node", "a", node);
  const second = transaction.savepoint();
  transaction.update.put("Node", "b", node);
  const third = transaction.savepoint();
  transaction.update.put("Node", "c", node);
  expect(transaction.changesSince(third)).toMatchObject([{ key: "Node/c" }]);
  transaction.rollbackTo(second);
  expect(() => transaction.changesSince(third)).toThrow(/savepoint 2/);
  expect(graph.list("Node").map(({ id }) => id)).toEqual(["a"]);
  expect(transaction.commit()).toMatchObject({ revision: 1, changes: [{ key: "Node/a" }] });
});

test("a graph has one open transaction, and an ended one changes nothing more", () => {
  const graph = createGraph();
  const first = graph.begin();
  expect(refusal(() => graph.begin())).toMatchObject({ code: "HAL_CONFLICT" });
  first.rollback();
  const late = refusal(() => first.update.put("Node", "node-1", node));
  expect(late).toMatchObject({ code: "HAL_CONFLICT" });
  expect(() => first.commit()).toThrow(/ended/);
  expect(graph.get("Node", "node-1")).toBeUndefined();
  expect(graph.begin().savepoint()).toBe(0);
});

test.each<{ name: string; act: (update: GraphEditor) => void; present: string; asked: string }>([
  {
    name: "a slot is held by one instance",
    act: (update) =>
      update.relate("ServiceInstance/web@node-1#2", "holds", "ServiceName/web@node-1"),
    present: "ServiceInstance/web@node-1#1 -holds-> ServiceName/web@node-1",
    asked: "ServiceInstance/web@node-1#2 -holds-> ServiceName/web@node-1",
  },
  {
    name: "an instance holds one slot",
    act: (update) => {
      update.put("ServiceName", "db@node-1", slot("db", "node-1"));
      update.relate("ServiceInstance/web@node-1#1", "holds", "ServiceName/db@node-1");
    },
    present: "ServiceInstance/web@node-1#1 -holds-> ServiceName/web@node-1",
    asked: "ServiceInstance/web@node-1#1 -holds-> ServiceName/db@node-1",
  },
  {
    name: "an instance runs on one node",
    act: (update) => {
      update.put("Node", "node-2", node);
      update.relate("Node/node-2", "runs", "ServiceInstance/web@node-1#1");
    },
    present: "Node/node-1 -runs-> ServiceInstance/web@node-1#1",
    asked: "Node/node-2 -runs-> ServiceInstance/web@node-1#1",
  },
  {
    name: "a slot wants one service",
    act: (update) => {
      update.put("Service", "a", service);
      update.put("Service", "b", service);
      update.relate("ServiceName/web@node-1", "wants", "Service/a");
      update.relate("ServiceName/web@node-1", "wants", "Service/b");
    },
    present: "ServiceName/web@node-1 -wants-> Service/a",
    asked: "ServiceName/web@node-1 -wants-> Service/b",
  },
])("$name: HAL_CARDINALITY names what is there and what was asked", ({ act, present, asked }) => {
  const error = refusal(() => webGraph().transact(act));
  expect(error.code).toBe("HAL_CARDINALITY");
  expect(error.message).toContain(present);
  expect(error.message).toContain(asked);
});

test("a slot wants one service and one configuration: each row counts for itself", () => {
  const graph = webGraph();
  graph.transact((update) => {
    update.put("Service", "web", service);
    update.put("Configuration", "c", { value: {} });
    update.relate("ServiceName/web@node-1", "wants", "Service/web");
    update.relate("ServiceName/web@node-1", "wants", "Configuration/c");
  });
  const wanted = graph.out("ServiceName/web@node-1", "wants").map(({ kind }) => kind);
  expect(wanted).toEqual(["Configuration", "Service"]);
});

test.each<{ name: string; act: (update: GraphUpdate) => void; code: string; message: RegExp }>([
  {
    name: "an unknown kind",
    act: (update) => update.put<string>("constructor", "a", {}),
    code: "HAL_BAD_REQUEST",
    message: /no kind "constructor"/,
  },
  {
    name: "an unknown relation",
    act: (update) => update.relate("Node/node-1", "loves", "Node/node-1"),
    code: "HAL_BAD_REQUEST",
    message: /no relation "loves".*holds/,
  },
  {
    name: "kinds that the relation does not join",
    act: (update) => update.relate("ServiceName/web@node-1", "runs", "Node/node-1"),
    code: "HAL_BAD_REQUEST",
    message: /from ServiceName to Node.*from Node to ServiceInstance/,
  },
  {
    name: "an end that is not there",
    act: (update) => update.relate("Node/node-1", "runs", "ServiceInstance/web@node-1#9"),
    code: "HAL_NOT_FOUND",
    message: /web@node-1#9/,
  },
  {
    name: "a patch of what is not there",
    act: (update) => update.patch("Node", "node-9", { state: "down" }),
    code: "HAL_NOT_FOUND",
    message: /Node\/node-9/,
  },
  {
    name: "attributes that do not fit",
    act: (update) => update.patch("Node", "node-1", { state: "broken" as "down" }),
    code: "HAL_SCHEMA_VIOLATION",
    message: /Node\/node-1.*state/,
  },
  {
    name: "a required attribute removed",
    act: (update) => update.patch("Node", "node-1", { role: undefined }),
    code: "HAL_SCHEMA_VIOLATION",
    message: /role/,
  },
  {
    name: "an empty id",
    act: (update) => update.put("Node", "", node),
    code: "HAL_BAD_REQUEST",
    message: /1 to 256/,
  },
  {
    name: "a member that would set a prototype",
    act: (update) => update.put("Configuration", "c", { value: JSON.parse('{"__proto__":{}}') }),
    code: "HAL_BAD_REQUEST",
    message: /attribute value of Configuration\/c.*__proto__/,
  },
])("$name is refused and changes nothing", ({ act, code, message }) => {
  const graph = webGraph();
  const before = toJSON(graph);
  const error = refusal(() => graph.transact(act));
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(toJSON(graph)).toEqual(before);
});

test("a refused change leaves the transaction usable", () => {
  const graph = webGraph();
  const delta = graph.transact((update) => {
    refusal(() => update.relate("ServiceInstance/web@node-1#2", "holds", "ServiceName/web@node-1"));
    update.remove("ServiceInstance", "web@node-1#1");
    update.relate("ServiceInstance/web@node-1#2", "holds", "ServiceName/web@node-1");
  });
  expect(delta.changes.map(({ type }) => type)).toEqual([
    "unrelate",
    "unrelate",
    "remove",
    "relate",
  ]);
});

test("patch removes an optional attribute with undefined", () => {
  const graph = webGraph();
  graph.transact((update) => update.patch("Node", "node-1", { reason: "tired" }));
  expect(graph.get("Node", "node-1")?.attributes.reason).toBe("tired");
  graph.transact((update) => update.patch("Node", "node-1", { reason: undefined }));
  expect(graph.get("Node", "node-1")?.attributes).toEqual(node);
});

test("resources are frozen in depth, and not tied to what was put", () => {
  const graph = createGraph();
  const mine = { ...node, labels: { zone: "a" } };
  graph.transact((update) => update.put("Node", "node-1", mine));
  mine.labels.zone = "b";
  const resource = graph.get("Node", "node-1");
  expect(resource?.attributes.labels).toEqual({ zone: "a" });
  expect(Object.isFrozen(resource) && Object.isFrozen(resource?.attributes.labels)).toBe(true);
});

test.each(["__proto__", "constructor", "toString", "a/b", "hasOwnProperty"])(
  "the id %s is an ordinary one",
  (id) => {
    const graph = createGraph();
    expect(graph.get("Node", id)).toBeUndefined();
    graph.transact((update) => {
      update.put("Node", id, node);
      update.put("ServiceInstance", id, {
        ...instance("web", "node-1", 1),
        service: "constructor",
      });
      update.relate(`Node/${id}`, "runs", `ServiceInstance/${id}`);
    });
    expect(graph.get("Node", id)?.id).toBe(id);
    expect(graph.out(`Node/${id}`, "runs").map((each) => each.id)).toEqual([id]);
    expect(graph.list("ServiceInstance", { service: "constructor" })).toHaveLength(1);
    expect(graph.list("ServiceInstance", { toString: "x" })).toEqual([]);
    graph.transact((update) => update.remove("Node", id));
    expect(graph.in(`ServiceInstance/${id}`, "runs")).toEqual([]);
  },
);

test("lists are sorted by UTF-16 code unit, whatever the order of arrival", () => {
  const graph = createGraph();
  for (const id of ["b", "a10", "a9", "B", "é", "a"]) {
    graph.transact((update) => update.put("Node", id, node));
    graph.list("Node");
  }
  graph.transact((update) => update.remove("Node", "a9"));
  expect(graph.list("Node").map(({ id }) => id)).toEqual(["B", "a", "a10", "b", "é"]);
});

test("a lookup by an indexed attribute follows every change, and one by another attribute scans", () => {
  const graph = webGraph();
  const failed = () => graph.list("ServiceInstance", { state: "failed", node: "node-1" });
  expect(failed().map(({ id }) => id)).toEqual(["web@node-1#2"]);
  graph.transact((update) => update.patch("ServiceInstance", "web@node-1#1", { state: "failed" }));
  expect(failed().map(({ id }) => id)).toEqual(["web@node-1#1", "web@node-1#2"]);
  graph.transact((update) => update.remove("ServiceInstance", "web@node-1#1"));
  expect(failed().map(({ id }) => id)).toEqual(["web@node-1#2"]);
  expect(graph.list("ServiceInstance", { incarnation: 2 })).toHaveLength(1);
  expect(graph.list("ServiceInstance", { incarnation: "2" })).toEqual([]);
  expect(graph.list("ServiceInstance", { slot: "other@node-1", state: "failed" })).toEqual([]);
});

test("relations of a resource are those that start or end there, sorted", () => {
  expect(webGraph().relations("ServiceInstance/web@node-1#1")).toEqual([
    { from: "Node/node-1", name: "runs", to: "ServiceInstance/web@node-1#1" },
    { from: "ServiceInstance/web@node-1#1", name: "holds", to: "ServiceName/web@node-1" },
  ]);
});

test.each<{ name: string; change: Partial<Delta>; message: RegExp }>([
  { name: "a revision that is not the next", change: { revision: 7 }, message: /takes revision 2/ },
  {
    name: "another state before",
    change: {
      revision: 2,
      changes: [
        { type: "put", key: "Node/node-1", before: null, after: { ...node } as JsonObject },
      ],
    },
    message: /Node\/node-1 is expected to be absent/,
  },
  {
    name: "a relation that is there already",
    change: {
      changes: [
        { type: "put", key: "Node/node-2", before: null, after: { ...node } as JsonObject },
        {
          type: "relate",
          relation: { from: "Node/node-1", name: "runs", to: "ServiceInstance/web@node-1#1" },
        } as const,
      ],
    },
    message: /to be added/,
  },
  {
    name: "a resource removed under its relations",
    change: {
      changes: [{ type: "remove", key: "Node/node-1", before: { ...node } as JsonObject }],
    },
    message: /to be removed/,
  },
])("a delta with $name is refused, and nothing of it stays", ({ change, message }) => {
  const graph = webGraph();
  const before = toJSON(graph);
  const empty = { revision: 2, changes: [{ type: "remove", key: "Node/x", before: {} } as const] };
  const error = refusal(() => graph.apply({ ...empty, ...change }));
  expect(error).toMatchObject({ code: "HAL_CONFLICT", message: expect.stringMatching(message) });
  expect(toJSON(graph)).toEqual(before);
});

test("an empty delta of the same revision is taken", () => {
  const graph = webGraph();
  graph.apply({ revision: 1, changes: [] });
  expect(graph.revision).toBe(1);
});

test("an instance uses resources of user-defined kinds only, each used by one instance", () => {
  const graph = webGraph();
  graph.defineKind(tcpPort);
  graph.transact((update) => {
    update.put<string>("TcpPort", "80", { port: 80 });
    update.relate("ServiceInstance/web@node-1#1", "uses", "TcpPort/80");
  });
  const code = (act: (update: GraphUpdate) => void) => refusal(() => graph.transact(act)).code;
  expect(
    code((update) => update.relate("ServiceInstance/web@node-1#2", "uses", "TcpPort/80")),
  ).toBe("HAL_CARDINALITY");
  for (const to of ["Node/node-1", "Kind/TcpPort"] as const) {
    expect(code((update) => update.relate("ServiceInstance/web@node-1#2", "uses", to))).toBe(
      "HAL_BAD_REQUEST",
    );
  }
});
