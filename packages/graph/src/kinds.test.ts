import type { HalonError } from "@halon/protocol";
import { expect, test } from "vitest";
import { service, tcpPort } from "../testdata/samples.ts";
import { createGraph } from "./graph.ts";
import { fromJSON, toJSON } from "./snapshot.ts";

function refusal(act: () => void): HalonError {
  try {
    act();
  } catch (error) {
    return error as HalonError;
  }
  throw new Error("expected a refusal");
}

test("a user-defined kind holds its resources to its schema", () => {
  const graph = createGraph();
  graph.defineKind(tcpPort);
  graph.transact((update) => update.put<string>("TcpPort", "80", { port: 80 }));
  const error = refusal(() =>
    graph.transact((update) => update.put<string>("TcpPort", "81", { port: 70_000 })),
  );
  expect(error).toMatchObject({ code: "HAL_SCHEMA_VIOLATION" });
  expect(error.message).toMatch(/TcpPort\/81.*port/);
});

test("a definition goes with deltas and snapshots", () => {
  const graph = createGraph();
  const copy = createGraph();
  copy.apply(graph.defineKind(tcpPort));
  copy.apply(graph.transact((update) => update.put<string>("TcpPort", "80", { port: 80 })));
  expect(toJSON(copy)).toEqual(toJSON(graph));
  const restored = fromJSON(JSON.parse(JSON.stringify(toJSON(graph))));
  for (const each of [copy, restored]) {
    const put = (port: number) => () =>
      each.transact((update) => update.put<string>("TcpPort", "p", { port }));
    expect(put(0)).toThrow(/TcpPort\/p/);
    expect(put(8080)).not.toThrow();
  }
});

test("the same definition again changes nothing, another one is refused", () => {
  const graph = createGraph();
  graph.defineKind(tcpPort);
  const { type, ...rest } = tcpPort.schema;
  const reordered = { kind: "TcpPort", schema: { ...rest, type: type ?? null } };
  expect(graph.defineKind(reordered)).toEqual({ revision: 1, changes: [] });
  expect(
    refusal(() => graph.defineKind({ kind: "TcpPort", schema: { type: "object" } })),
  ).toMatchObject({ code: "HAL_CONFLICT", message: expect.stringContaining("TcpPort") });
});

test("a definition is removed after the last resource of its kind, and may then be another", () => {
  const graph = createGraph();
  graph.defineKind(tcpPort);
  graph.transact((update) => update.put<string>("TcpPort", "80", { port: 80 }));
  expect(refusal(() => graph.transact((update) => update.remove("Kind", "TcpPort")))).toMatchObject(
    { code: "HAL_CONFLICT", message: expect.stringContaining("TcpPort/80") },
  );
  graph.transact((update) => {
    update.remove("TcpPort", "80");
    update.remove("Kind", "TcpPort");
    update.put<string>("Kind", "TcpPort", { schema: { type: "object" } });
    update.put<string>("TcpPort", "80", { port: "eighty" });
  });
  expect(graph.get("TcpPort", "80")?.attributes).toEqual({ port: "eighty" });
});

test("a definition that is rolled back is forgotten", () => {
  const graph = createGraph();
  const transaction = graph.begin();
  transaction.update.put<string>("Kind", "TcpPort", { schema: tcpPort.schema });
  transaction.update.put<string>("TcpPort", "80", { port: 80 });
  transaction.rollback();
  const put = () => graph.transact((update) => update.put<string>("TcpPort", "80", { port: 80 }));
  expect(put).toThrow(/no kind "TcpPort"/);
});

test.each([
  { name: "a built-in kind", kind: "Node", schema: { type: "object" }, code: "HAL_CONFLICT" },
  { name: "the kind of kinds", kind: "Kind", schema: { type: "object" }, code: "HAL_CONFLICT" },
  {
    name: "no kind's name",
    kind: "tcp/port",
    schema: { type: "object" },
    code: "HAL_SCHEMA_VIOLATION",
  },
  {
    name: "attributes that are no object",
    kind: "A",
    schema: { type: "string" },
    code: "HAL_SCHEMA_VIOLATION",
  },
  {
    name: "a pattern that is none",
    kind: "A",
    schema: { type: "object", properties: { a: { type: "string", pattern: "(" } } },
    code: "HAL_SCHEMA_VIOLATION",
  },
  {
    name: "a reference to nothing",
    kind: "A",
    schema: { type: "object", properties: { a: { $ref: "#/$defs/none" } } },
    code: "HAL_SCHEMA_VIOLATION",
  },
])("a definition of $name is refused", ({ kind, schema, code }) => {
  expect(refusal(() => createGraph().defineKind({ kind, schema }))).toMatchObject({ code });
});

test("defaults of a kind are in the graph and in the delta", () => {
  const graph = createGraph();
  const { changes } = graph.transact((update) => {
    update.put("Service", "web", { ...service, restart: {} as (typeof service)["restart"] });
  });
  expect(graph.get("Service", "web")?.attributes.restart).toMatchObject({ resetAfterMs: 10_000 });
  expect(changes).toMatchObject([{ after: { restart: { resetAfterMs: 10_000 } } }]);
});
