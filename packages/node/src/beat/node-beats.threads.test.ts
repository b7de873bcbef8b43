import type { Change } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { type Opinion, observerName } from "../messages.ts";
import { Replica } from "../replica.ts";
import { type LinkedNode, linkedNode, silent, until } from "../testing.ts";
import { NodeBeats } from "./node-beats.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

interface Halond {
  readonly node: LinkedNode;
  readonly replica: Replica;
  readonly beats: NodeBeats;
}

/** A node at the port of its listener that takes `leader` for the one that leads. */
async function halond(name: string, leader: string): Promise<Halond> {
  const node = await linkedNode(name);
  const replica = new Replica(() => performance.now());
  const [host = "", port] = node.address.split(":");
  const setup = { listen: { host, port: Number(port) } };
  const beats = new NodeBeats({
    identity: { name, incarnation: 1, clusterId: "c1", setup },
    system: node.system,
    replica,
    log: silent,
    leader: () => leader,
  });
  open.push(node, beats);
  return { node, replica, beats };
}

/** Shows all nodes to each of them. */
function introduce(all: readonly Halond[], index: number): void {
  const changes = all.map(({ node }): Change => {
    const after = {
      address: node.address,
      role: "tracking",
      state: "up",
      incarnation: 1,
      labels: {},
      version: "0.1.0",
      since: 0,
    };
    return { type: "put", key: `Node/${node.name}`, before: null, after };
  });
  for (const { replica } of all) replica.apply({ index, epoch: 1, revision: index, changes });
}

async function ask(from: LinkedNode, of: string, about: string): Promise<Opinion> {
  return from.system.call<Opinion>(
    { name: observerName, node: of },
    { type: "opinion", about },
    { timeoutMs: 5_000 },
  );
}

test("the leader beats to all, the others to the leader and to those who watch them", async () => {
  const names = ["node-1", "node-2", "node-3", "node-4", "node-5"];
  const all = await Promise.all(names.map((name) => halond(name, "node-1")));
  for (const { beats } of all) beats.begin();
  introduce(all, 1);
  const heardBy = ({ beats }: Halond): string[] =>
    names.filter((name) => beats.last(name) !== undefined);
  const wanted = [
    ["node-2", "node-3", "node-4", "node-5"],
    ["node-1", "node-5"],
    ["node-1", "node-2"],
    ["node-1", "node-2", "node-3"],
    ["node-1", "node-3", "node-4"],
  ];
  await until("all beats", () =>
    all.every((one, at) => heardBy(one).length === wanted[at]?.length),
  );
  expect(all.map(heardBy)).toEqual(wanted);
});

test("a node says when it last heard another, that it answers itself, and nothing of one that it never heard", async () => {
  const one = await halond("node-1", "node-1");
  const two = await halond("node-2", "node-1");
  two.node.links.follow(one.node.address);
  await until("the link", () => two.node.system.nodes().includes("node-1"));
  expect(await ask(two.node, "node-1", "node-2")).toEqual({ ageMs: null });
  for (const { beats } of [one, two]) beats.begin();
  introduce([one, two], 1);
  await until("beats", () => one.beats.last("node-2") !== undefined);
  const { ageMs } = await ask(two.node, "node-1", "node-2");
  expect(ageMs).toBeGreaterThanOrEqual(0);
  expect(await ask(two.node, "node-1", "node-1")).toEqual({ ageMs: 0 });
  expect(await ask(two.node, "node-1", "node-7")).toEqual({ ageMs: null });
});
