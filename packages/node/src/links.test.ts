import { afterEach, expect, test } from "vitest";
import { Replica } from "./replica.ts";
import { Satellite } from "./satellite.ts";
import { type LinkedNode, linkedNode, silent, until } from "./testing.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function nodes(...names: readonly string[]): Promise<LinkedNode[]> {
  const all = await Promise.all(names.map(linkedNode));
  open.push(...all);
  return all;
}

function satellite(node: LinkedNode, candidates: readonly LinkedNode[]): Satellite {
  const one = new Satellite({
    system: node.system,
    replica: new Replica(() => performance.now()),
    links: node.links,
    log: silent,
    candidates: () => candidates.map(({ address }) => address),
  });
  open.push(one);
  return one;
}

test("links move to the node that leads now, and tell of both", async () => {
  const [node, first, second] = (await nodes("node-1", "node-2", "node-3")) as [
    LinkedNode,
    LinkedNode,
    LinkedNode,
  ];
  node.links.follow(first.address);
  await until("the first", () => node.links.peer === "node-2");
  node.links.follow(second.address);
  expect(node.links.peer).toBeUndefined();
  await until("the second", () => node.links.peer === "node-3");
  await until("the first to notice", () => first.system.nodes().length === 0);
  node.links.follow(null);
  await until("nobody", () => node.system.nodes().length === 0);
  expect(node.seen).toEqual(["node-2", null, "node-3", null]);
});

test("a satellite finds who leads by asking the nodes it knows, one of them dead", async () => {
  const [node, leader, other] = (await nodes("node-1", "node-2", "node-3")) as [
    LinkedNode,
    LinkedNode,
    LinkedNode,
  ];
  const dead = await linkedNode("node-4");
  await dead.close();
  other.leaderEndpoint = leader.address;
  satellite(node, [dead, other]);
  await until("the leader", () => node.links.peer === "node-2");
});

test("a satellite that its node refuses looks for the next leader, and moves", async () => {
  const [node, first, second] = (await nodes("node-1", "node-2", "node-3")) as [
    LinkedNode,
    LinkedNode,
    LinkedNode,
  ];
  first.leaderEndpoint = first.address;
  const one = satellite(node, [first, second]);
  await until("the first", () => node.links.peer === "node-2");
  one.attached(0);
  first.leaderEndpoint = null;
  second.leaderEndpoint = second.address;
  one.refused();
  await until("the second", () => node.links.peer === "node-3");
});
