import { type ActorSystem, createSystem } from "@halon/actor";
import { type Listener, listen } from "@halon/api";
import { memoryPorts } from "@halon/api/testing";
import { createGraph } from "@halon/graph";
import { HalonError, instanceId, type Json, slotId } from "@halon/protocol";
import type { Runtime } from "@halon/service/host";
import { afterEach, expect, test, vi } from "vitest";
import { ServiceCalls } from "./service-calls.ts";
import { ServiceProcesses } from "./service-processes.ts";

interface TestNode {
  readonly system: ActorSystem;
  readonly calls: ServiceCalls;
  readonly listener: Listener;
  readonly processes: ServiceProcesses;
  /** What its services were asked, in order. */
  readonly asked: string[];
}

/** Name of a message that throws with this code. */
type Faults = Readonly<Record<string, HalonError>>;

const open: TestNode[] = [];
afterEach(async () => {
  for (const { calls, listener, system } of open.splice(0)) {
    await calls.close();
    await listener.close(0);
    await system.close();
  }
});

/** What all nodes know: `nodes` by name, and on each of `runs` one instance of echo. */
function graphOf(nodes: readonly (readonly [string, string])[], runs: readonly string[]) {
  const graph = createGraph();
  graph.transact((update) => {
    for (const [name, address] of nodes) {
      const times = { incarnation: 1, since: 0, labels: {}, version: "0.1.0" };
      update.put("Node", name, { address, role: "satellite", state: "up", ...times });
    }
    for (const node of runs) {
      const slot = slotId("echo", node);
      const at = { service: "echo", node, incarnation: 1 };
      update.put("ServiceName", slot, { ...at, restarts: 0 });
      const instance = { ...at, type: "echo", version: "1.0.0", slot, since: 0 };
      const state = { state: "running", health: "ok" } as const;
      update.put("ServiceInstance", instanceId(slot, 1), { ...instance, ...state });
    }
  });
  return graph;
}

/** Nodes that know each other by their replicas alone: no link, no leader. */
async function nodesOf(
  names: readonly string[],
  runs: readonly string[],
  faults: Faults = {},
  busy?: Promise<void>,
): Promise<readonly TestNode[]> {
  let graph = graphOf([], []);
  const nodes = await Promise.all(
    names.map((name) => nodeOf(name, () => graph, runs.includes(name), { faults, busy })),
  );
  const addresses = nodes.map(
    ({ listener }, at) => [names[at] ?? "", `127.0.0.1:${listener.port}`] as const,
  );
  graph = graphOf(addresses, runs);
  return nodes;
}

async function nodeOf(
  name: string,
  graph: () => ReturnType<typeof graphOf>,
  runsEcho: boolean,
  { faults, busy }: { readonly faults: Faults; readonly busy: Promise<void> | undefined },
): Promise<TestNode> {
  const asked: string[] = [];
  const system = createSystem({ node: name, incarnation: 1 });
  const instance = instanceId(slotId("echo", name), 1);
  const runtime = {
    inventory: () =>
      runsEcho
        ? [
            {
              instance,
              service: "echo",
              type: "echo",
              version: "1.0.0",
              state: "running",
              health: "ok",
            },
          ]
        : [],
    async probe(instance: string) {
      asked.push(`${instance} check`);
      const fault = faults["check"];
      if (fault !== undefined) throw fault;
      return { health: "warn", detail: "full" };
    },
    async call(instance: string, message: string, args: readonly Json[]) {
      asked.push(`${instance} ${message}`);
      const fault = faults[message];
      if (fault !== undefined) throw fault;
      await busy;
      return [name, ...args];
    },
  } as Partial<Runtime> as Runtime;
  const processes = new ServiceProcesses(system, runtime);
  processes.adopted();
  const calls = new ServiceCalls({ node: name, system, graph, processor: () => undefined });
  const { ports } = memoryPorts({ send: calls.send, graph });
  const own = { ...ports, identity: () => ({ ...ports.identity(), leaderEndpoint: null }) };
  const onFault = () => undefined;
  const listener = await listen({
    ...{ host: "127.0.0.1", port: 0, ports: own, allowedHosts: [], onFault },
  });
  const node = { system, calls, listener, processes, asked };
  open.push(node);
  return node;
}

const ping = (on?: string) => ({ on, instance: undefined, message: "ping", args: [1] });

test("the own instance answers first, and another node's when there is no own", async () => {
  const [a, b, c] = await nodesOf(["a", "b", "c"], ["b", "c"]);
  expect(await c?.calls.send("echo", ping(), 2_000)).toEqual({
    instance: "echo@c#1",
    answer: ["c", 1],
  });
  expect(await a?.calls.send("echo", ping(), 2_000)).toEqual({
    instance: "echo@b#1",
    answer: ["b", 1],
  });
  expect(b?.asked).toEqual(["echo@b#1 ping"]);
});

test("the node that was named answers, and no other", async () => {
  const [a, b, c] = await nodesOf(["a", "b", "c"], ["b", "c"]);
  expect(await a?.calls.send("echo", ping("c"), 2_000)).toMatchObject({ answer: ["c", 1] });
  expect([b?.asked, c?.asked]).toEqual([[], ["echo@c#1 ping"]]);
});

test("what the service answers with comes back over nodes, once asked", async () => {
  const faults = {
    slow: new HalonError("HAL_TIMEOUT", "No answer to message slow within 50 ms."),
    odd: new HalonError("HAL_SCHEMA_VIOLATION", "The message odd: argument 1: expected string."),
    gone: new HalonError("HAL_NOT_FOUND", "The service type echo does not take gone."),
  };
  const [a, b] = await nodesOf(["a", "b"], ["b"], faults);
  for (const [message, { code }] of Object.entries(faults)) {
    await expect(a?.calls.send("echo", { ...ping(), message }, 2_000)).rejects.toMatchObject({
      code,
    });
  }
  expect(b?.asked).toEqual(["echo@b#1 slow", "echo@b#1 odd", "echo@b#1 gone"]);
});

test("a node that believes another to run it is refused there, and asks nobody else", async () => {
  const [a, b, c] = await nodesOf(["a", "b", "c"], ["b", "c"]);
  // It has just ended on b, and the graph does not know yet.
  const at = { node: "b", service: "echo", instance: "echo@b#1" };
  b?.processes.take({ type: "ServiceExited", data: { ...at, reason: "done" } });
  await expect(a?.calls.send("echo", ping(), 2_000)).rejects.toMatchObject({
    code: "HAL_SERVICE_NOT_RUNNING",
  });
  expect(c?.asked).toEqual([]);
});

test("a node that cannot be reached is an error that says so", async () => {
  const [a, b] = await nodesOf(["a", "b"], ["b"]);
  await b?.listener.close(0);
  await expect(a?.calls.send("echo", ping(), 2_000)).rejects.toMatchObject({
    code: "HAL_UNREACHABLE",
  });
});

test("a service that runs nowhere is an error that says so", async () => {
  const [a] = await nodesOf(["a"], []);
  await expect(a?.calls.send("echo", ping(), 2_000)).rejects.toThrow("No instance of echo runs");
  await expect(a?.calls.send("echo", ping("a"), 2_000)).rejects.toThrow("runs on a");
});

test("a service looks others up by node, and calls an instance", async () => {
  const [a] = await nodesOf(["a", "b", "c"], ["b", "c"]);
  expect(await a?.calls.lookup("echo")).toEqual([
    { instance: "echo@b#1", node: "b" },
    { instance: "echo@c#1", node: "c" },
  ]);
  expect(await a?.calls.lookup("ghost")).toEqual([]);
  expect(await a?.calls.call("echo@c#1", "ping", [2])).toEqual(["c", 2]);
  await expect(a?.calls.call("echo@c#2", "ping", [])).rejects.toThrow("echo@c#2 is not known here");
});

test("a check is answered by the instance's own node, wherever it is asked for", async () => {
  const [a, b] = await nodesOf(["a", "b"], ["b"]);
  const echo = { service: "echo", node: "b", instance: "echo@b#1" };
  const answer = { health: "warn", detail: "full" };
  expect(await a?.calls.check(echo, 2_000)).toEqual(answer);
  // One that was answered so shortly before is not asked again.
  expect(await b?.calls.check(echo, 2_000)).toEqual(answer);
  expect(b?.asked).toEqual(["echo@b#1 check"]);
  await expect(a?.calls.check({ ...echo, instance: "echo@b#2" }, 2_000)).rejects.toMatchObject({
    code: "HAL_SERVICE_NOT_RUNNING",
  });
});

test("a check is answered while a message keeps the service busy", async () => {
  let goOn = (): void => undefined;
  const busy = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const [a, b] = await nodesOf(["a", "b"], ["b"], {}, busy);
  const called = a?.calls.send("echo", ping(), 10_000);
  await vi.waitFor(() => expect(b?.asked).toEqual(["echo@b#1 ping"]));
  const echo = { service: "echo", node: "b", instance: "echo@b#1" };
  expect(await a?.calls.check(echo, 2_000)).toMatchObject({ health: "warn" });
  goOn();
  expect(await called).toMatchObject({ answer: ["b", 1] });
});

test("an instance that was replaced is not answered for by its successor", async () => {
  const [a, b] = await nodesOf(["a", "b"], ["b"]);
  const at = { node: "b", service: "echo", instance: "echo@b#2" };
  b?.processes.take({ type: "ServiceStarted", data: { ...at, configuration: "0".repeat(64) } });
  await expect(a?.calls.call("echo@b#1", "ping", [])).rejects.toMatchObject({
    code: "HAL_SERVICE_NOT_RUNNING",
    message: expect.stringContaining("echo@b#2 does"),
  });
  expect(b?.asked).toEqual([]);
});
