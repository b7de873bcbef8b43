import type { InternalPart } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../../testdata/samples.ts";
import { emit, type NodeData } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";

function part(name: InternalPart["part"], given: Partial<InternalPart> = {}): InternalPart {
  return { part: name, start: 1, state: "running", health: "ok", ...given };
}

const supervisor = part("halon-supervisor");
const agency = part("halon-agency");

function tellAll(node: NodeData, ...parts: readonly InternalPart[]): void {
  emit(node, "NodeInventory", {
    node: node.name,
    lastCommand: node.last,
    instances: [],
    parts: parts as never,
  });
}

/** Two nodes; `a` has told of these parts. */
function begun(...parts: readonly InternalPart[]): TestCluster {
  const cluster = new TestCluster();
  for (const name of ["a", "b"]) cluster.addNode(name);
  cluster.settle();
  tellAll(cluster.node("a"), ...parts);
  cluster.settle();
  return cluster;
}

function change(cluster: TestCluster, changed: InternalPart): void {
  emit(cluster.node("a"), "PartChanged", { node: "a", part: changed as never });
  cluster.settle();
}

const roleOf = (cluster: TestCluster) => cluster.state.graph.get("Node", "a")?.attributes.role;

describe("parts of a node", () => {
  test("are services with type, slot and instance, which its supervisor monitors", () => {
    const { state } = begun(supervisor);
    const { graph } = state;
    const id = "halon-supervisor@a#1001";
    expect(graph.get("Service", "halon-supervisor")?.attributes).toMatchObject({
      kind: "internal",
      version: "0.1.0",
    });
    expect(graph.get("ServiceInstance", id)?.attributes).toMatchObject({
      service: "halon-supervisor",
      node: "a",
      incarnation: 1_001,
      state: "running",
      health: "ok",
    });
    const key = `ServiceInstance/${id}` as const;
    expect(graph.related(key, "holds", "ServiceName/halon-supervisor@a")).toBe(true);
    expect(graph.related("Node/a", "runs", key)).toBe(true);
    expect(graph.related("Supervisor/a", "monitors", key)).toBe(true);
  });

  test("change as their node tells; a restart is another instance, and older news count for nothing", () => {
    const cluster = begun(supervisor);
    change(cluster, { ...supervisor, state: "degraded", health: "warn", detail: "slow" });
    expect(cluster.instance("halon-supervisor@a#1001")).toMatchObject({
      state: "degraded",
      reason: "slow",
    });
    change(cluster, { ...supervisor, start: 2 });
    expect(cluster.seen()).toEqual(["halon-supervisor@a#1002 running"]);
    change(cluster, { ...supervisor, state: "failed" });
    expect(cluster.seen()).toEqual(["halon-supervisor@a#1002 running"]);
    expect(cluster.slot("halon-supervisor@a")).toMatchObject({ incarnation: 1_002, restarts: 1 });
  });

  test("are unknown when their node is down, and start anew with it; nothing of that moves", () => {
    const cluster = begun(supervisor, agency);
    cluster.lose("a");
    cluster.tick(1_000);
    expect(cluster.seen()).toEqual([
      "halon-agency@a#1001 unknown",
      "halon-supervisor@a#1001 unknown",
    ]);
    cluster.node("a").incarnation = 2;
    cluster.node("a").sequence = 0;
    cluster.connect("a");
    tellAll(cluster.node("a"), supervisor);
    cluster.settle();
    expect(cluster.seen()).toEqual(["halon-supervisor@a#2001 running"]);
    expect(cluster.decided("ServiceMoved")).toEqual([]);
    expect(cluster.state.outbox.size).toBe(0);
  });

  test("are neither started, stopped nor counted as surplus by an inventory without them", () => {
    const cluster = begun(supervisor);
    emit(cluster.node("a"), "NodeInventory", { node: "a", lastCommand: null, instances: [] });
    cluster.settle();
    expect(cluster.seen()).toEqual(["halon-supervisor@a#1001 running"]);
    expect(cluster.state.outbox.size).toBe(0);
  });

  test("say of a node that it is of the tracking station, until they have stopped", () => {
    const cluster = begun(supervisor);
    expect(roleOf(cluster)).toBe("satellite");
    change(cluster, agency);
    expect(roleOf(cluster)).toBe("tracking");
    change(cluster, { ...agency, state: "degraded", health: "fail" });
    expect(roleOf(cluster)).toBe("tracking");
    change(cluster, { ...agency, state: "stopped" });
    expect(roleOf(cluster)).toBe("satellite");
  });

  test("of a node that has not joined count for nothing", () => {
    const cluster = begun();
    cluster.lose("a");
    cluster.node("a").isLinked = true;
    change(cluster, supervisor);
    expect(cluster.seen()).toEqual([]);
  });

  test("do not keep a drain waiting, and go with a node that is removed", () => {
    const cluster = begun(supervisor);
    const drain = cluster.ask("NodeDrainRequested", { node: "a" });
    expect(cluster.operation(drain).state).toBe("done");
    cluster.ask("NodeRemoveRequested", { node: "a" });
    expect(cluster.seen()).toEqual([]);
    expect(cluster.state.graph.get("ServiceName", "halon-supervisor@a")).toBeUndefined();
  });
});

describe("requests about a part", () => {
  test.each(["Start", "Stop", "Restart"])("%s has failed, and nothing is sent", (verb) => {
    const cluster = begun(supervisor);
    const service = "halon-supervisor";
    const operation = cluster.ask(`Service${verb}Requested`, { service });
    expect(cluster.operation(operation)).toMatchObject({
      state: "failed",
      reason: expect.stringContaining("halon-supervisor is a part of Halon"),
    });
    expect(cluster.state.outbox.size).toBe(0);
  });

  test("for another configuration have failed", () => {
    const cluster = begun(supervisor);
    const config = { config: {}, configHash: "0".repeat(64) };
    const service = "halon-supervisor";
    const operation = cluster.ask("ConfigurationRequested", { service, ...config });
    expect(cluster.operation(operation).state).toBe("failed");
  });

  test.each([
    { verb: "Check", command: "CheckService", answer: "ServiceChecked", data: { health: "ok" } },
    {
      verb: "Status",
      command: "ReportStatus",
      answer: "ServiceReported",
      data: { report: { starts: 1 } },
    },
  ])("$verb goes to its node, and is done with the answer", ({ verb, command, answer, data }) => {
    const cluster = begun(supervisor);
    const service = "halon-supervisor";
    const instance = "halon-supervisor@a#1001";
    const operation = cluster.ask(`Service${verb}Requested`, { service });
    const sent = cluster.state.outbox.of("a")[0];
    expect(sent?.action).toEqual({ type: command, service, instance });
    emit(cluster.node("a"), answer, {
      node: "a",
      service,
      instance,
      command: sent?.id ?? "",
      ...data,
    });
    // The node of this test knows no parts: its own answer is not wanted.
    cluster.wires.set("a", []);
    cluster.settle();
    expect(cluster.operation(operation)).toMatchObject({
      state: "done",
      answers: { [instance]: data },
    });
  });

  test.each([
    {
      what: "restarted",
      happens: (cluster: TestCluster) => change(cluster, { ...supervisor, start: 2 }),
    },
    { what: "gone", happens: (cluster: TestCluster) => tellAll(cluster.node("a"), agency) },
  ])("to one that is $what before it answers have failed", ({ happens }) => {
    const cluster = begun(supervisor);
    const operation = cluster.ask("ServiceCheckRequested", { service: "halon-supervisor" });
    cluster.wires.set("a", []);
    happens(cluster);
    cluster.settle();
    expect(cluster.operation(operation)).toMatchObject({
      state: "failed",
      reason: "halon-supervisor@a#1001 ended before it answered",
    });
    expect(cluster.state.outbox.size).toBe(0);
  });
});

test.each([
  { what: "a deployment", spec: clusterSpec([deployment("halon-web", { type: "web" })]) },
  { what: "a type", spec: clusterSpec([deployment("web", { type: "halon-web" })]) },
  {
    what: "a service name",
    spec: clusterSpec([deployment("web")], {
      types: [manifest("web", { serviceName: "halon-web" })],
    }),
  },
])("a cluster file in which $what has the name of a part is refused", ({ spec }) => {
  const cluster = begun();
  const { state, reason } = cluster.operation(cluster.apply(spec));
  expect([state, reason]).toEqual([
    "failed",
    expect.stringMatching(/halon-web has a name that begins with halon-.*give it another name/),
  ]);
  expect(cluster.state.graph.list("Deployment")).toEqual([]);
});
