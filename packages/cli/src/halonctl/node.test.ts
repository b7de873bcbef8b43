import { listen } from "@halon/api";
import { memoryPorts } from "@halon/api/testing";
import type { ClusterStatus, GraphView, OperationStatus, Resource } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { runHalonctl } from "./main.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function run(command: readonly string[], overrides: Parameters<typeof memoryPorts>[0] = {}) {
  const memory = memoryPorts(overrides);
  const { ports } = memory;
  const listener = await listen({ host: "127.0.0.1", port: 0, ports, allowedHosts: [] });
  ends.push(() => listener.close(0));
  const { io, written } = memoryIo({ HALON_ENDPOINT: `127.0.0.1:${listener.port}` });
  const exit = await runHalonctl(command, io);
  return { exit, ...written, submitted: memory.submitted };
}

const supervisor = (id: string): Resource<"Supervisor"> => ({
  kind: "Supervisor",
  id,
  attributes: { node: id },
});

/** A node that is down, as the graph and the status have it. */
function lostNode(): Parameters<typeof memoryPorts>[0] {
  const { graph, status } = memoryPorts().ports;
  const view = graph();
  const node = view.get("Node", "node-1");
  if (node === undefined) throw new Error("the memory ports have no node-1");
  const evidence = ["node-1: last beat 1.2 s ago (phi 9.4)", "asked node-2: \u001b[2Jnothing"];
  const attributes = { ...node.attributes, state: "down" as const, incarnation: 3, evidence };
  const row = {
    ...status().nodes[0],
    state: "down",
    reason: "silent for 1.2 s",
    recovery: "transient, attempt 1 of 5",
    labels: { zone: "a" },
  } as ClusterStatus["nodes"][number];
  return {
    graph: () =>
      ({
        ...view,
        get: (kind: string) => (kind === "Node" ? { ...node, attributes } : undefined),
        in: () => ["node-2", "node-3"].map(supervisor),
        out: (_key: string, _relation: string, kind: string) =>
          kind === "Supervisor"
            ? [supervisor("node-3")]
            : ["node-1", "node-2"].map((node) => ({ id: `web@${node}#1`, attributes: { node } })),
      }) as unknown as GraphView,
    status: () => ({ ...status(), nodes: [row] }),
  };
}

test("node show tells state, recovery, watchers and the evidence, a sentence a line", async () => {
  const { exit, out, err } = await run(["node", "show", "node-1"], lostNode());
  expect({ exit, err }).toEqual({ exit: 0, err: "" });
  expect(out.split("\n")).toEqual([
    expect.stringMatching(/^Node node-1: down for \d+[smhd], since 2026-01-01T00:00:00.000Z$/),
    "  reason      silent for 1.2 s",
    "  mode        active",
    "  recovery    transient, attempt 1 of 5",
    "  address     127.0.0.1:1",
    "  role        tracking",
    "  incarnation 3",
    "  version     0.1.0",
    "  labels      zone=a",
    "  watched by  node-2, node-3",
    "  watches     node-3, web@node-2#1",
    "",
    "That rests on",
    "  node-1: last beat 1.2 s ago (phi 9.4)",
    "  asked node-2: [2Jnothing",
    "",
    "Nothing runs there.",
    "",
  ]);
});

test("node show is data for programs", async () => {
  const { out } = await run(["node", "show", "node-1", "-o", "json"], lostNode());
  expect(JSON.parse(out)).toMatchObject({ name: "node-1", incarnation: 3, mode: "active" });
});

test.each([
  [["drain", "node-1"], "NodeDrainRequested", {}],
  [["resume", "node-1"], "NodeResumeRequested", {}],
  [["maintenance", "node-1", "on"], "NodeMaintenanceRequested", { on: true }],
  [["maintenance", "node-1", "off"], "NodeMaintenanceRequested", { on: false }],
  [["remove", "node-1"], "NodeRemoveRequested", {}],
])("node %j asks by %s, with the reason", async (command, type, data) => {
  const { exit, submitted } = await run(["node", ...command, "--reason", "new disks"]);
  expect(exit).toBe(0);
  const operation = submitted[0]?.id;
  expect(submitted).toEqual([
    { id: operation, type, data: { node: "node-1", operation, reason: "new disks", ...data } },
  ]);
});

test("a drain that goes on is waited for, and says what it waits for", async () => {
  const running: OperationStatus = {
    operation: "o1",
    action: "drain",
    target: "node-1",
    state: "running",
    waiting: ["web@node-1#1"],
    since: "2026-01-01T00:00:00.000Z",
  };
  const late = { waitOperation: () => Promise.resolve(running) };
  const waited = await run(["node", "drain", "node-1"], late);
  expect([waited.exit, waited.err]).toEqual([6, expect.stringContaining("web@node-1#1")]);
  expect((await run(["node", "drain", "node-1", "--no-wait"], late)).exit).toBe(0);
});

const breaker = {
  since: "2026-01-01T00:00:00.000Z",
  reason: "3 of 5 nodes were lost within 60 s: a, b, c",
  nodes: ["b", "c"],
};
const tripped = {
  status: () => {
    const status = memoryPorts().ports.status();
    return { ...status, cluster: { ...status.cluster, breaker } };
  },
};

test.each([["breaker"], ["breaker show"]])(
  "%s tells what it waits for and what ends that",
  async (line) => {
    const { exit, out } = await run(line.split(" "), tripped);
    expect(exit).toBe(0);
    for (const part of [breaker.reason, "not back yet: b, c", "halonctl breaker reset"])
      expect(out).toContain(part);
    expect((await run(line.split(" "))).out).toMatch(/^The breaker is closed/);
  },
);

test("breaker show is data for programs", async () => {
  const data = async (overrides = {}) =>
    JSON.parse((await run(["breaker", "-o", "json"], overrides)).out);
  expect(await data(tripped)).toEqual({ state: "tripped", ...breaker });
  expect(await data()).toEqual({ state: "closed" });
});

test("breaker reset asks for it, with the reason", async () => {
  const { exit, submitted } = await run(["breaker", "reset", "--reason", "the switch is gone"]);
  expect(exit).toBe(0);
  expect(submitted[0]).toMatchObject({
    type: "BreakerResetRequested",
    data: { reason: "the switch is gone" },
  });
});

test("tables of nodes fit 80 columns", async () => {
  const { out } = await run(["node", "list"], lostNode());
  expect(Math.max(...out.split("\n").map((text) => text.length))).toBeLessThanOrEqual(80);
});
