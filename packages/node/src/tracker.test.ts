import type { Change } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import type { Arrival } from "./beat/arrival.ts";
import type { Attached, LostLeader, ToAgent, ToTracker } from "./core/index.ts";
import { agentName, type Opinion, observerName, trackerName } from "./messages.ts";
import { Replica } from "./replica.ts";
import {
  coordinatorHost,
  type FakeBeats,
  heardBeats,
  type LinkedNode,
  linkedNode,
  silent,
  until,
} from "./testing.ts";
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
  const beats = heardBeats();
  const tracker = new Tracker({
    name: "node-1",
    clusterId: "c1",
    trackingNodes: new Set(["node-1", "node-2"]),
    system: node.system,
    replica,
    beats,
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
  return { node, tracker, replica, coordinator, observed, beats };
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
  const send = (message: ToTracker): boolean =>
    node.system.send({ name: trackerName, node: to.name }, message);
  /** Answers by these when it is asked about another node. */
  const answers = (opinion: Opinion): void => {
    node.system.spawn(() => ({ receive: () => opinion }), { name: observerName });
  };
  return { told, attach, send, answers };
}

const turns = (main: number): Arrival["counters"] => {
  return { main, supervisor: 0, coordinator: 0, member: 0 };
};

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

test("a node that a person has removed has to detach, and is not taken in before it is resumed", async () => {
  const { node, tracker, replica, coordinator } = await tracking();
  const satellite = await linked("node-2", node);
  tracker.lead(coordinator, 3);
  await satellite.attach();
  const detached = () => satellite.told.filter((type) => type === "detached").length;
  const put = nodeResource("node-2") as Extract<Change, { type: "put" }>;
  const removed = { ...put.after, state: "down", mode: "decommissioned" };
  const before = detached();
  const delta = {
    index: 2,
    epoch: 3,
    revision: 2,
    changes: [{ ...put, before: put.after, after: removed }],
  };
  replica.apply(delta);
  tracker.follow(delta);
  await until("word", () => detached() > before);
  const remedy = expect.stringContaining("halonctl node resume node-2");
  await expect(satellite.attach()).rejects.toMatchObject({ code: "HAL_CONFLICT", message: remedy });
  expect(tracker.refusal("node-2", 2)).toEqual(remedy);
  const changes = [{ ...put, before: removed, after: put.after }];
  replica.apply({ index: 3, epoch: 3, revision: 3, changes });
  expect(await satellite.attach()).toMatchObject({ leader: "node-1" });
});

test("the leader before, whose link broke, is given up as any node is; others get time to come", async () => {
  const lost = { node: "node-2", reason: "the socket closed", at: performance.now() };
  const { tracker, coordinator, observed } = await tracking(lost);
  tracker.lead(coordinator, 3);
  const about = { node: "node-2", incarnation: 1, reason: "the socket closed" };
  expect(observed).toMatchObject([{ type: "NodeSuspected", ...about }]);
  await until("its end", () => observed.length === 2);
  expect(observed[1]).toMatchObject({
    type: "NodeLost",
    ...about,
    evidence: expect.arrayContaining(["link closed: the socket closed"]),
  });
});

/** Beats of the node, every 100 ms until that is called. */
function beating(beats: FakeBeats, node: string): () => void {
  let main = 0;
  const timer = setInterval(() => {
    main += 1;
    beats.hear({ node, incarnation: 1, at: performance.now(), counters: turns(main) });
  }, 100);
  open.push({ close: () => clearInterval(timer) });
  return () => clearInterval(timer);
}

test("a node whose beats stop while its link is up is asked itself, and trusted when it answers", async () => {
  const { node, tracker, coordinator, observed, beats } = await tracking();
  const peer = await linked("node-2", node);
  peer.answers({ ageMs: 0 });
  tracker.lead(coordinator, 3);
  await peer.attach();
  const stop = beating(beats, "node-2");
  await until("some beats", () => beats.last("node-2")?.counters.main === 3);
  stop();
  await until("the end of the suspicion", () => observed.length === 2);
  expect(observed).toMatchObject([
    { type: "NodeSuspected", node: "node-2" },
    { type: "NodeTrusted", node: "node-2" },
  ]);
});

test("a node that is silent everywhere is lost on the word of another, and told to attach again as soon as it hears that", async () => {
  const { node, tracker, coordinator, observed, beats } = await tracking();
  const peer = await linked("node-2", node);
  const witness = await linked("node-3", node);
  witness.answers({ ageMs: 1_500 });
  beats.observers.set("node-2", ["node-3"]);
  tracker.lead(coordinator, 3);
  await peer.attach();
  await witness.attach();
  const detached = peer.told.filter((type) => type === "detached").length;
  const stop = beating(beats, "node-2");
  await until("some beats", () => beats.last("node-2")?.counters.main === 3);
  stop();
  await until("its end", () => observed.some((one) => JSON.stringify(one).includes("NodeLost")));
  expect(observed.at(-1)).toMatchObject({
    type: "NodeLost",
    node: "node-2",
    evidence: expect.arrayContaining([
      expect.stringMatching(/^asked node-3: last heard it 1\.\d s ago$/),
      "asked node-2 itself over its link: no answer",
    ]),
  });
  await until("the request", () => {
    return peer.told.filter((type) => type === "detached").length > detached;
  });
});

test("a new leader gives a node up at once that another has not heard for a second", async () => {
  const { node, tracker, coordinator, observed, beats } = await tracking();
  const witness = await linked("node-3", node);
  witness.answers({ ageMs: 1_500 });
  beats.observers.set("node-2", ["node-3"]);
  tracker.lead(coordinator, 3);
  await witness.attach();
  await until("its end", () => observed.length === 1);
  expect(observed).toMatchObject([
    { type: "NodeLost", node: "node-2", reason: "it did not come to the new leader" },
  ]);
});

test("a node that the graph has and nobody watches is waited for anew, and asked to attach", async () => {
  const { node, tracker, coordinator, observed } = await tracking();
  const taken: unknown[] = [];
  tracker.lead({ ...coordinator, events: (...all) => void taken.push(all) }, 3);
  const peer = await linked("node-2", node);
  await peer.attach();
  const left = { type: "NodeLeft", version: 1, data: { node: "node-2", incarnation: 1 } };
  const events = [{ sequence: 8, event: left }];
  // It is on its way to the log, and does not get there.
  peer.send({ type: "events", node: "node-2", incarnation: 1, events });
  await until("the event", () => taken.length === 1);
  const detached = peer.told.filter((type) => type === "detached").length;
  await until("the request", () => {
    return peer.told.filter((type) => type === "detached").length > detached;
  });
  await until("its end", () => observed.some((one) => JSON.stringify(one).includes("NodeLost")));
});

test("a peer with this node's name or an older incarnation of a known one is refused", async () => {
  const { tracker } = await tracking();
  expect(tracker.refusal("node-1", 5)).toContain("--name");
  expect(tracker.refusal("node-2", 0)).toContain("older copy");
  expect(tracker.refusal("node-2", 1)).toBeNull();
});
