import { createSystem } from "@halon/actor";
import { afterEach, expect, test } from "vitest";
import { Agent } from "./agent.ts";
import type { ToTracker } from "./core/index.ts";
import { agentName, trackerName } from "./messages.ts";
import { silent, until } from "./testing.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** The agent of a node that leads itself: types of all events that it sent are in `sent`, and none is acknowledged. */
function attached() {
  const system = createSystem({ node: "node-1", incarnation: 1 });
  const sent: string[] = [];
  let attaches = 0;
  const receive = async (message: unknown): Promise<unknown> => {
    const asked = message as ToTracker;
    if (asked.type === "attach") {
      attaches += 1;
      return { clusterId: "c1", leader: "node-1", epoch: attaches, index: 1, sequence: 0 };
    }
    if (asked.type === "events")
      for (const { sequence, event } of asked.events) sent[sequence - 1] = event.type;
    return undefined;
  };
  system.spawn(() => ({ receive }), { name: trackerName });
  const unused = (): never => {
    throw new Error("nobody was expected to ask this");
  };
  const agent = new Agent({
    name: "node-1",
    incarnation: 1,
    system,
    runtime: {
      perform: unused,
      inventory: () => [],
      leased: () => [],
      renew: () => undefined,
    },
    blobs: { has: () => true, fetch: unused },
    log: silent,
    internals: () => undefined,
    effects: { perform: unused },
    describe: () => ({ node: "node-1" }),
    attached: () => undefined,
    refused: () => undefined,
    delta: () => undefined,
    heard: () => undefined,
  });
  open.push(system, agent);
  agent.connected("node-1");
  const detach = (): void =>
    void system.send({ name: agentName, node: "node-1" }, { type: "detached" });
  return { agent, sent, attaches: () => attaches, detach };
}

test("with each attach a node says that it is there and what runs on it", async () => {
  const { sent, attaches, detach } = attached();
  await until("the events", () => sent.length === 2);
  detach();
  await until("the events", () => sent.length === 4);
  expect([attaches(), sent]).toEqual([
    2,
    ["NodeJoined", "NodeInventory", "NodeJoined", "NodeInventory"],
  ]);
});

test("a node that leaves does not come back with another leader: it would count as lost at its end", async () => {
  const { agent, sent, attaches, detach } = attached();
  await until("the events", () => sent.length === 2);
  void agent.leave(1_000);
  await until("the events", () => sent.length === 3);
  sent.length = 0;
  detach();
  await until("the events", () => attaches() === 2 && sent.length >= 3);
  expect(sent).toEqual(["NodeJoined", "NodeInventory", "NodeLeft"]);
});
