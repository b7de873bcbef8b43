import type { Json } from "@halon/protocol";
import { defineEvent, defineRules, on, z } from "@halon/rules";
import { expect, test } from "vitest";
import { TestCluster } from "../../testdata/test-cluster.ts";

const Noted = defineEvent({
  type: "Noted",
  schema: z.looseObject({ n: z.number(), at: z.number().optional() }),
});
const Later = defineEvent({ type: "Later", schema: z.strictObject({ at: z.number() }) });
const notes = defineRules({
  note: on(Noted).do(({ event, why }) => {
    const copy: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(event)) copy[name] = value;
    why(`noted ${Object.assign(copy, event)["n"]}`);
  }),
  later: on(Later).do(({ event, now, timer }) =>
    timer.after("t", 1_000, Noted, { n: now, at: event.at }),
  ),
});

test("an event whose members are called as those of prototypes changes none of them", () => {
  const cluster = new TestCluster({ notes });
  const data = JSON.parse(
    '{"n": 1, "__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
  ) as Json;
  expect(cluster.emit("Noted", data)).toMatchObject({ type: "accepted" });
  expect(cluster.whyOf("Noted")).toContain("noted 1");
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Object.getPrototypeOf(cluster.decided("Noted")[0]?.data)).toBe(Object.prototype);
});

test("an event that says it is from the future is of the moment of its record: timers go by log time", () => {
  const cluster = new TestCluster({ notes });
  const before = cluster.state.logTime;
  cluster.emit("Later", { at: 9e15 });
  expect([cluster.state.logTime, cluster.state.timers.first()?.due]).toEqual([
    before,
    before + 1_000,
  ]);
  cluster.tick(1_000);
  expect(cluster.decided("Noted")).toMatchObject([{ data: { n: before, at: 9e15 } }]);
});

test("an event of a node that was removed changes nothing, is acknowledged, and is told with the reason", () => {
  const cluster = new TestCluster();
  const node = cluster.addNode("a");
  cluster.settle();
  cluster.lose("a");
  cluster.ask("NodeRemoveRequested", { node: "a" });
  const graph = JSON.stringify(cluster.state.graph.list("ServiceInstance"));
  const next = (cluster.state.watermarks.get("node/a")?.sequence ?? 0) + 1;
  const reply = cluster.take({
    type: "numbered",
    source: "node/a",
    incarnation: node.incarnation,
    sequence: next,
    event: {
      type: "ServiceStarted",
      version: 1,
      data: { node: "a", service: "web", instance: "web@a#1", configuration: "0".repeat(64) },
    },
  }).replies[0];
  expect(reply).toMatchObject({ type: "accepted" });
  expect(JSON.stringify(cluster.state.graph.list("ServiceInstance"))).toBe(graph);
  expect(cluster.whyOf("ServiceStarted")).toBe("ignored: web@a#1 is not a current instance");
});
