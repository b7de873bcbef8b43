import { expect, test } from "vitest";
import { type Candidate, plan } from "./placement.ts";

/** `a` is up, `b-` is down, `c?` gets nothing new, `d5` has a load of 5, `e=x` the label zone=x. */
function nodes(text: string): Candidate[] {
  return text.split(" ").map((word) => {
    const [name = "", label] = word.replace(/[-?\d]/g, "").split("=");
    return {
      name,
      up: !word.includes("-"),
      open: !/[-?]/.test(word),
      labels: label === undefined ? {} : { zone: label },
      load: Number(/\d+/.exec(word)?.[0] ?? 0),
    };
  });
}

const table = [
  { name: "every node that is known", on: "every-node", nodes: "a b- c?", gets: "a b c" },
  { name: "the node with the least load", on: "any-node", nodes: "a2 b1 c3", gets: "b" },
  { name: "of equal loads the smaller name", on: "any-node", nodes: "b a", gets: "a" },
  {
    name: "as many as there are replicas",
    on: "any-node",
    replicas: 2,
    nodes: "a b c",
    gets: "a b",
  },
  {
    name: "only nodes of the label",
    on: { label: "zone=x" },
    replicas: 3,
    nodes: "a=x b=y c=x",
    gets: "a c",
    short: true,
  },
  { name: "the node of that name", on: { node: "b" }, nodes: "a b", gets: "b" },
  {
    name: "nothing while there is no such node",
    on: { node: "z" },
    nodes: "a b",
    gets: "",
    short: true,
  },
  { name: "no node that is down, or closed", on: "any-node", nodes: "a- b? c9", gets: "c" },
  {
    name: "places it has, though another node has less load",
    on: "any-node",
    nodes: "a9 b",
    has: ["a"],
    gets: "a",
  },
  { name: "places it has on a closed node", on: "any-node", nodes: "a? b", has: ["a"], gets: "a" },
  {
    name: "another place when its node is lost and it moves",
    on: "any-node",
    nodes: "a- b",
    has: ["a"],
    gets: "b",
  },
  {
    name: "its place when its node is lost and it waits",
    on: "any-node",
    loss: "wait",
    nodes: "a- b",
    has: ["a"],
    gets: "a",
    short: true,
  },
  {
    name: "its lost place when there is no other",
    on: "any-node",
    nodes: "a-",
    has: ["a"],
    gets: "a",
    short: true,
  },
  {
    name: "fewer places when fewer replicas are asked for, lost ones first",
    on: "any-node",
    loss: "wait",
    replicas: 1,
    nodes: "a- b",
    has: ["a", "b"],
    gets: "b",
  },
  {
    name: "no place on a node that has lost the label",
    on: { label: "zone=x" },
    nodes: "a=y b=x",
    has: ["a"],
    gets: "b",
  },
] as const;

test.each(table)("a deployment gets $name", (row) => {
  const wanted = {
    on: row.on,
    replicas: "replicas" in row ? row.replicas : undefined,
    onNodeLoss: "loss" in row ? row.loss : ("move" as const),
  };
  const planned = plan(wanted, nodes(row.nodes), "has" in row ? row.has : []);
  expect(planned.nodes.join(" ")).toBe(row.gets);
  expect(planned.shortfall !== undefined).toBe("short" in row);
});
