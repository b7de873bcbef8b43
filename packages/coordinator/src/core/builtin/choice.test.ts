import { expect, test } from "vitest";
import { type Candidate, choose, type Wanted } from "./choice.ts";

/**
 * A node a word: `a` is up, `b-` is down, `c!` is not fit for a further place, `d5` has a load of 5, `e=x` has the
 * label zone=x, `~f` would be disturbed. Behind a colon, what becomes of the place it has: `a:stays`.
 */
function nodes(text: string): Candidate[] {
  return text.split(" ").map((word) => {
    const [node = "", fate] = word.split(":");
    const [name = "", label] = node.replace(/[-!~\d]/g, "").split("=");
    return {
      name,
      isDown: node.includes("-"),
      takes: fate === undefined && !/[-!]/.test(node),
      disturbs: node.includes("~"),
      labels: label === undefined ? {} : { zone: label },
      load: Number(/\d+/.exec(node)?.[0] ?? 0),
      held: fate as Candidate["held"],
    };
  });
}

const table: readonly {
  readonly name: string;
  readonly wanted: Partial<Wanted>;
  readonly nodes: string;
  readonly gets: string;
}[] = [
  {
    name: "every node that may have it",
    wanted: { on: "every-node" },
    nodes: "a b! c",
    gets: "a c",
  },
  {
    name: "on every node the places it has, lost ones too, and none that ends",
    wanted: { on: "every-node" },
    nodes: "a:stays b-:lost c:ends",
    gets: "a b",
  },
  { name: "the node with the least load", wanted: {}, nodes: "a2 b1 c3", gets: "b" },
  { name: "of equal loads the smaller name", wanted: {}, nodes: "b a", gets: "a" },
  { name: "as many as there are replicas", wanted: { replicas: 2 }, nodes: "a b c", gets: "a b" },
  {
    name: "all that fit when that is too few",
    wanted: { replicas: 3 },
    nodes: "a b! c",
    gets: "a c",
  },
  {
    name: "places it has, though another node has less load or is preferred",
    wanted: { prefer: ["b"] },
    nodes: "a9:stays b",
    gets: "a",
  },
  { name: "no place whose conditions ended", wanted: {}, nodes: "a:ends b9", gets: "b" },
  { name: "another place for a lost one", wanted: {}, nodes: "a-:lost b", gets: "b" },
  { name: "its lost place when there is no other", wanted: {}, nodes: "a-:lost b!", gets: "a" },
  {
    name: "fewer places when fewer are asked for, those on nodes that are down go first",
    wanted: { replicas: 1 },
    nodes: "a-:stays b:stays",
    gets: "b",
  },
  {
    name: "the node it prefers before the one with less load",
    wanted: { prefer: ["c", "b"] },
    nodes: "a b c9",
    gets: "c",
  },
  {
    name: "a node with the label it prefers, in the order of its wishes",
    wanted: { prefer: ["z", "zone=y"], replicas: 2 },
    nodes: "a=x b=y5 c=y",
    gets: "b c",
  },
  {
    name: "the value of the label with the fewest instances",
    wanted: { spread: "zone", replicas: 3 },
    nodes: "a=x b=x c=y9 d",
    gets: "a c d",
  },
  {
    name: "places spread beside those it has",
    wanted: { spread: "zone", replicas: 2 },
    nodes: "a=x:stays b=x c=y9",
    gets: "a c",
  },
  {
    name: "of too many places those that are spread best",
    wanted: { spread: "zone", replicas: 2 },
    nodes: "a=x:stays b=x:stays c=y:stays",
    gets: "a c",
  },
  {
    name: "a node where it disturbs nobody, even before one that is preferred",
    wanted: { prefer: ["a"] },
    nodes: "~a b9",
    gets: "b",
  },
  {
    name: "a node where it disturbs when there is no other",
    wanted: {},
    nodes: "~a b!",
    gets: "a",
  },
  {
    name: "one place when it is exclusive",
    wanted: { exclusive: "cluster" },
    nodes: "a:ends b c",
    gets: "b",
  },
];

test.each(table)("a deployment gets $name", (row) => {
  expect(choose({ on: "any-node", ...row.wanted }, nodes(row.nodes)).join(" ")).toBe(row.gets);
});
