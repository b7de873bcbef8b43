import type { Change } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import type { LostLeader } from "./links.ts";
import { type Attached, agentName, type ToAgent, trackerName } from "./messages.ts";
import { Replica } from "./replica.ts";
import { coordinatorHost, type LinkedNode, linkedNode, silent, until } from "./testing.ts";
import { Tracker } from "./tracker.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function nodeResource(name: string): Change {
  const after = {
    address: "127.0.0.1:1",
    role: "tracking",
    state: "up",
    incarnation: 1,
    labels: {},
    version: "0.1.0",
    since: 0,
  };
  return { type: "put", key: `Node/${name}`, before: null, after };
}

/** The tracker of `node-1`, its agents and what these were told. */
async function tracking(lost?: LostLeader) {
  const node = await linkedNode("node-1");
  const replica = new Replica(() => performance.now());
  replica.apply({
    index: 1,
    epoch: 1,
    revision: 1,
    changes: ["node-1", "node-2"].map(nodeResource),
  });
  const tracker = new Tracker({
    name: "node-1",
    clusterId: "c1",
    trackingNodes: new Set(["node-1", "node-2"]),
    system: node.system,
    replica,
    log: silent,
    owner: () => "10.0.0.2:8528",
    lostLeader: () => lost,
  });
  const observed: unknown[] = [];
  const coordinator = coordinatorHost({
    watermark: async () => 7,
    resend: () => undefined,
    observe: (type, data) => observed.push({ type, ...(data as object) }),
  });
  open.push(node, tracker);
  return { node, tracker, replica, coordinator, observed };
}

/** An agent on the node that only listens. */
function agentOn({ system }: LinkedNode): ToAgent["type"][] {
  const told: ToAgent["type"][] = [];
  const receive = (message: unknown): void => void told.push((message as ToAgent).type);
  system.spawn(() => ({ receive }), { name: agentName });
  return told;
}

async function linked(name: string, to: LinkedNode) {
  const node = await linkedNode(name);
  open.push(node);
  const told = agentOn(node);
  node.links.follow(to.address);
  await until("the link", () => to.system.nodes().includes(name));
  await until("the link", () => node.links.peer !== undefined);
  const attach = () =>
    node.system.call<Attached>(
      { name: trackerName, node: to.name },
      { type: "attach", node: name, incarnation: 1 },
      { timeoutMs: 2_000 },
    );
  return { told, attach };
}

test("a node that does not lead takes nobody in and names the one that does", async () => {
  const { node } = await tracking();
  const { attach } = await linked("node-2", node);
  await expect(attach()).rejects.toMatchObject({
    code: "HAL_NO_LEADER",
    message: expect.stringContaining("10.0.0.2:8528"),
  });
});

test("a new leader asks all that are linked to attach, and tells them its epoch and where it is", async () => {
  const { node, tracker, coordinator } = await tracking();
  const { told, attach } = await linked("node-2", node);
  tracker.lead(coordinator, 3);
  await until("the request", () => told.includes("detached"));
  expect(await attach()).toEqual({
    clusterId: "c1",
    leader: "node-1",
    epoch: 3,
    index: 1,
    sequence: 7,
  });
});

test("records go to satellites only, word of the leader to all, and nothing to anybody afterwards", async () => {
  const { node, tracker, coordinator } = await tracking();
  const follower = await linked("node-2", node);
  const satellite = await linked("node-9", node);
  tracker.lead(coordinator, 3);
  await follower.attach();
  await satellite.attach();
  tracker.follow({ index: 2, epoch: 3, revision: 1, changes: [] });
  await until("word", () => follower.told.includes("heard") && satellite.told.includes("heard"));
  expect(satellite.told.filter((type) => type === "delta")).toHaveLength(1);
  expect(follower.told).not.toContain("delta");
  tracker.rest();
  await until("the end", () => satellite.told.at(-1) === "detached");
  tracker.follow({ index: 3, epoch: 3, revision: 1, changes: [] });
  await expect(satellite.attach()).rejects.toMatchObject({ code: "HAL_NO_LEADER" });
  expect(satellite.told.at(-1)).toBe("detached");
});

test("the leader before, whose link broke, is given up as any node is; others get time to come", async () => {
  const lost = { node: "node-2", reason: "the socket closed", at: performance.now() };
  const { tracker, coordinator, observed } = await tracking(lost);
  tracker.lead(coordinator, 3);
  const about = { node: "node-2", incarnation: 1, reason: "the socket closed" };
  expect(observed).toEqual([{ type: "NodeSuspected", ...about }]);
  await until("its end", () => observed.length === 2);
  expect(observed[1]).toEqual({ type: "NodeLost", ...about });
});

test("a peer with this node's name or an older incarnation of a known one is refused", async () => {
  const { tracker } = await tracking();
  expect(tracker.refusal("node-1", 5)).toContain("--name");
  expect(tracker.refusal("node-2", 0)).toContain("older copy");
  expect(tracker.refusal("node-2", 1)).toBeNull();
});
