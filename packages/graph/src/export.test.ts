import { canonicalJson } from "@halon/protocol";
import { expect, test } from "vitest";
import { node, putWeb } from "../testdata/samples.ts";
import { toDot } from "./dot.ts";
import { createGraph } from "./graph.ts";
import { toGraphml } from "./graphml.ts";
import { fromJSON, toJSON } from "./snapshot.ts";

const nasty = 'a"b\\\n<&>\u0000\ud800\\';

test("DOT names every resource and relation", () => {
  const graph = createGraph();
  graph.transact((update) => {
    update.put("Supervisor", "node-1", { node: "node-1" });
    update.put("Node", "node-1", node);
    update.relate("Supervisor/node-1", "supervises", "Node/node-1");
  });
  expect(toDot(graph)).toBe(
    [
      "digraph halon {",
      "  rankdir=LR;",
      "  node [shape=box];",
      '  "Node/node-1" [label="Node\\nnode-1\\nup"];',
      '  "Supervisor/node-1" [label="Supervisor\\nnode-1"];',
      '  "Supervisor/node-1" -> "Node/node-1" [label="supervises"];',
      "}",
      "",
    ].join("\n"),
  );
});

test("in DOT no id leaves its quotes", () => {
  const graph = createGraph();
  graph.transact((update) => update.put("Node", nasty, node));
  const statement = toDot(graph).split("\n")[3] ?? "";
  expect(statement).toMatch(/^ {2}"(?:[^"\\]|\\.)*" \[label="(?:[^"\\]|\\.)*"\];$/);
  expect(statement).toContain('"Node/a\\"b\\\\␊<&>␀\ufffd\\\\"');
});

test("in GraphML no id leaves its element, and every edge has its ends", () => {
  const graph = createGraph();
  graph.transact((update) => {
    putWeb(update);
    update.put("Node", nasty, node);
  });
  const xml = toGraphml(graph);
  expect(xml).toContain('<data key="id">a&#34;b\\\n&#60;&#38;&#62;\ufffd\ufffd\\</data>');
  expect(xml.match(/<node id=/g)).toHaveLength(5);
  expect(xml).toContain(
    '<edge source="n1" target="n4"><data key="relation">provides</data></edge>',
  );
});

test("fromJSON restores what toJSON gave, after a way through text", () => {
  const graph = createGraph();
  graph.transact(putWeb);
  const text = canonicalJson(toJSON(graph));
  const restored = fromJSON(JSON.parse(text));
  expect(canonicalJson(toJSON(restored))).toBe(text);
  expect(restored.list("ServiceInstance", { state: "failed" })).toHaveLength(1);
  expect(restored.transact((update) => update.remove("Node", "node-1")).revision).toBe(2);
});

const one = { kind: "Node", id: "a", attributes: node };
const empty = { revision: 0, resources: [], relations: [] };

test.each([
  { name: "no object", json: null, message: /not the JSON of a graph/ },
  { name: "a negative revision", json: { ...empty, revision: -1 }, message: /revision/ },
  {
    name: "a resource twice",
    json: { ...empty, resources: [one, one] },
    message: /Node\/a.*twice/,
  },
  {
    name: "an unknown kind",
    json: { ...empty, resources: [{ ...one, kind: "X" }] },
    message: /kind "X"/,
  },
  {
    name: "a relation without its ends",
    json: {
      ...empty,
      resources: [one],
      relations: [{ from: "Node/a", name: "runs", to: "Node/b" }],
    },
    message: /no resource Node\/b/,
  },
])("fromJSON refuses $name", ({ json, message }) => {
  expect(() => fromJSON(json)).toThrow(message);
});
