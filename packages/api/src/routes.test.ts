import { createHash } from "node:crypto";
import { type GraphView, HalonError } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { type Listener, listen } from "./listen.ts";
import type { ApiPorts } from "./ports.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

const open: Listener[] = [];

afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close(0);
});

async function start(overrides: Partial<ApiPorts> = {}) {
  const memory = memoryPorts(overrides);
  const faults: unknown[] = [];
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ports: memory.ports,
    allowedHosts: [],
    onFault: (error) => faults.push(error),
  });
  open.push(listener);
  const url = `http://127.0.0.1:${listener.port}`;
  const send = (method: string, path: string, body: unknown) =>
    fetch(url + path, {
      method,
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
      redirect: "manual",
    });
  return { ...memory, url, faults, send };
}

test.each([
  ["/v1/status", { cluster: { state: "healthy" } }],
  ["/v1/nodes", [{ name: "node-1" }]],
  ["/v1/nodes/node-1", { name: "node-1", services: [] }],
  ["/v1/services/web", { service: "web", config: { greeting: "hi" } }],
  ["/v1/types", [{ type: "web" }]],
  ["/v1/types/web", { configurationSchema: { type: "object" } }],
  ["/v1/operations", []],
  ["/v1/alerts", [{ alert: "mine/full", severity: "warning", text: "a disk is full" }]],
  ["/v1/rules", [{ rule: "builtin/x" }]],
  ["/v1/rules/mine", { file: "mine", state: "quarantined", rules: ["one", "two"] }],
  ["/v1/graph?query=Node", [{ id: "node-1" }]],
  ["/v1/graph?resource=Node/node-1", { kind: "Node", id: "node-1", relations: [] }],
  ["/v1/events", []],
])("GET %s answers with the age of the replica", async (path, body) => {
  const { url } = await start();
  const response = await fetch(url + path);
  expect(await response.json()).toMatchObject(body);
  expect(response.headers.get("halon-revision")).toBe("7");
  expect(response.headers.get("halon-staleness-ms")).toBe("3");
});

test.each([
  ["GET", "/v1/nothing", 404, "HAL_NOT_FOUND"],
  ["GET", "/v1/nodes/ghost", 404, "HAL_NOT_FOUND"],
  ["GET", "/v1/services/ghost", 404, "HAL_NOT_FOUND"],
  ["DELETE", "/v1/status", 405, "HAL_METHOD_NOT_ALLOWED"],
  ["GET", "/v1/services/web/start", 405, "HAL_METHOD_NOT_ALLOWED"],
  ["TRACE", "/v1/status", 405, "HAL_METHOD_NOT_ALLOWED"],
  ["GET", "/v1/why", 501, "HAL_NOT_BUILT"],
  ["GET", "/metrics", 501, "HAL_NOT_BUILT"],
  ["POST", "/_api/agency/write", 501, "HAL_NOT_BUILT"],
  ["GET", "/v1/graph?at=3", 501, "HAL_NOT_BUILT"],
  ["GET", "/v1/graph?query=x", 400, "HAL_BAD_REQUEST"],
  ["GET", "/v1/status?colour=red", 400, "HAL_BAD_REQUEST"],
  ["GET", "/v1/events?limit=0", 400, "HAL_BAD_REQUEST"],
  ["GET", "/v1/events?since=yesterday", 400, "HAL_BAD_REQUEST"],
])("%s %s answers %i %s", async (method, path, status, errorCode) => {
  const { url } = await start();
  // fetch refuses to send TRACE.
  const { request } = await import("undici");
  const response = await request(url + path, { method: method as "GET" });
  expect(response.statusCode).toBe(status);
  expect(await response.body.json()).toMatchObject({ error: true, code: status, errorCode });
});

test("a service is started by an event whose operation is the answer", async () => {
  const { send, submitted } = await start();
  const response = await send("POST", "/v1/services/web/start?wait=true", { on: "node-1" });
  const body = (await response.json()) as { operation: string };
  expect(response.status).toBe(200);
  expect(body).toMatchObject({ state: "done", index: 1 });
  expect(submitted).toEqual([
    {
      id: body.operation,
      type: "ServiceStartRequested",
      data: { service: "web", on: "node-1", operation: body.operation },
    },
  ]);
});

test("an operation that goes on is answered with 202", async () => {
  const { send } = await start({ operation: () => undefined });
  const response = await send("POST", "/v1/services/web/stop", {});
  expect(response.status).toBe(202);
  expect(await response.json()).toMatchObject({ state: "running" });
});

test("a dry run of a start is answered by any node, and submits nothing", async () => {
  const elsewhere = { ...memoryPorts().ports.identity(), leaderEndpoint: null };
  const { send, submitted } = await start({ identity: () => elsewhere });
  const response = await send("POST", "/v1/services/web/start?dryRun=true", { on: "node-9" });
  expect(response.status).toBe(200);
  expect(response.headers.get("halon-revision")).toBe("7");
  expect(await response.json()).toMatchObject([
    {
      service: "web",
      node: "node-9",
      would: "refuse",
      conditions: [{ name: "node", holds: false }],
    },
  ]);
  const all = await send("POST", "/v1/services/web/start?dryRun=true", {});
  expect(await all.json()).toMatchObject([{ node: "node-1", would: "start" }]);
  expect(submitted).toEqual([]);
});

test.each([
  ["/v1/services/ghost/start?dryRun=true", 404, "ghost"],
  ["/v1/services/web/start?dryRun=yes", 400, "dryRun"],
  ["/v1/services/web/stop?dryRun=true", 400, "dryRun"],
])("POST %s is refused with %i", async (path, status, named) => {
  const { send, submitted } = await start();
  const response = await send("POST", path, {});
  expect(response.status).toBe(status);
  expect(await response.text()).toContain(named);
  expect(submitted).toEqual([]);
});

test.each([
  ["/v1/services/web/start", { on: "node-1", onn: 1 }, 400, "onn"],
  ["/v1/services/web/start", { on: "ghost" }, 404, "ghost"],
  ["/v1/services/ghost/start", {}, 404, "ghost"],
  ["/v1/services/web/start", "{", 400, "JSON"],
  ["/v1/services/web/start", `${"[".repeat(100_000)}`, 400, "deeper"],
  ["/v1/events", { type: "ServiceFailed", data: {} }, 403, "ServiceFailed"],
  ["/v1/events", { type: "ServiceStartRequested", data: {} }, 400, "operation"],
  ["/v1/events", { type: "Unheard" }, 400, "Unheard"],
  ["/v1/events", { type: "X", id: "no spaces" }, 400, "id"],
  ["/v1/apply", { spec: {} }, 400, "spec.types"],
])("POST %s %j answers %i and names %s", async (path, body, status, named) => {
  const { send } = await start();
  const response = await send("POST", path, body);
  expect(response.status).toBe(status);
  expect((await response.json()) as object).toMatchObject({
    errorMessage: expect.stringContaining(named),
  });
});

test("a configuration that does not fit the schema of its type changes nothing", async () => {
  const { send, submitted } = await start();
  const wrong = await send("PUT", "/v1/services/web/config", { config: { greeting: 3 } });
  expect(await wrong.json()).toMatchObject({ errorCode: "HAL_SCHEMA_VIOLATION" });
  expect(submitted).toEqual([]);
  await send("PUT", "/v1/services/web/config", { config: { greeting: "ho" } });
  expect(submitted[0]).toMatchObject({
    type: "ConfigurationRequested",
    data: {
      config: { greeting: "ho" },
      configHash: createHash("sha256").update('{"greeting":"ho"}').digest("hex"),
    },
  });
});

test("a blob is kept only under its own hash", async () => {
  const { url, blobs } = await start();
  const put = (hash: string) =>
    fetch(`${url}/v1/blobs/${hash}`, {
      method: "PUT",
      body: "code",
      headers: { "Content-Type": "application/octet-stream" },
    });
  const hash = createHash("sha256").update("code").digest("hex");
  expect((await put("0".repeat(64))).status).toBe(400);
  expect((await put(hash)).status).toBe(200);
  expect([...blobs.keys()]).toEqual([hash]);
});

test("a bug shows nothing of itself but goes to the log", async () => {
  const bug = new Error("secret of /home");
  const { url, faults } = await start({
    status: () => {
      throw bug;
    },
  });
  const response = await fetch(`${url}/v1/status`);
  expect(response.status).toBe(500);
  expect(await response.text()).not.toMatch(/secret|at .*\.ts/);
  expect(faults).toEqual([bug]);
});

test("a node that is not ready says why", async () => {
  const { url } = await start({ notReady: () => "it joins" });
  const response = await fetch(`${url}/readyz`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ errorMessage: "Not ready: it joins" });
});

test("a node that starts answers probes and hellos, and says of all else why not", async () => {
  const { url } = await start({ starting: () => "it waits for 2 more nodes" });
  for (const path of ["/livez", "/readyz", "/id", "/version", "/hello"])
    expect((await fetch(url + path)).status).toBe(200);
  const response = await fetch(`${url}/v1/status`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    errorMessage: expect.stringContaining("it waits for 2 more nodes"),
  });
});

test("a refusal of the coordinator keeps its code", async () => {
  const { send } = await start({
    submit: () => Promise.reject(new HalonError("HAL_TIMEOUT", "Not committed in time.")),
  });
  const response = await send("POST", "/v1/events", { type: "X" });
  expect(response.status).toBe(504);
});

test("shutdown passes on whether services are kept", async () => {
  const { send, url, shutdowns } = await start();
  await fetch(`${url}/shutdown`, { method: "POST" });
  await send("POST", "/shutdown", { keepServices: true });
  expect(shutdowns).toEqual([false, true]);
});

test.each([
  [
    "/v1/nodes/node-1/drain",
    { reason: "disks" },
    "NodeDrainRequested",
    { node: "node-1", reason: "disks" },
  ],
  ["/v1/nodes/node-1/resume", {}, "NodeResumeRequested", { node: "node-1" }],
  [
    "/v1/nodes/node-1/maintenance",
    { on: true },
    "NodeMaintenanceRequested",
    { node: "node-1", on: true },
  ],
  ["/v1/nodes/node-1/remove", {}, "NodeRemoveRequested", { node: "node-1" }],
  ["/v1/breaker/reset", { reason: "seen" }, "BreakerResetRequested", { reason: "seen" }],
  ["/v1/rules/mine/enable", {}, "RuleEnableRequested", { file: "mine" }],
  [
    "/v1/rules/mine/disable",
    { reason: "noisy" },
    "RuleDisableRequested",
    { file: "mine", reason: "noisy" },
  ],
])("POST %s with %j is the event %s", async (path, body, type, data) => {
  const { send, submitted } = await start();
  const response = await send("POST", `${path}?wait=true`, body);
  expect(response.status).toBe(200);
  const operation = submitted[0]?.id;
  expect(submitted).toEqual([{ id: operation, type, data: { ...data, operation } }]);
});

test.each([
  ["/v1/nodes/ghost/drain", {}, 404, "ghost"],
  ["/v1/rules/ghost/enable", {}, 404, "ghost"],
  ["/v1/nodes/node-1/maintenance", {}, 400, "on"],
  ["/v1/nodes/node-1/drain", { force: true }, 400, "force"],
])("POST %s with %j answers %i and names %s", async (path, body, status, named) => {
  const { send, submitted } = await start();
  const response = await send("POST", path, body);
  expect([response.status, submitted]).toEqual([status, []]);
  expect((await response.json()) as object).toMatchObject({
    errorMessage: expect.stringContaining(named),
  });
});

test("a node tells its incarnation, its mode and who watches it", async () => {
  const { url } = await start();
  expect(await (await fetch(`${url}/v1/nodes/node-1`)).json()).toMatchObject({
    incarnation: 1,
    version: "0.1.0",
    mode: "active",
    evidence: [],
    watchedBy: [],
    watches: [],
    watchesInstances: [],
  });
});

/** A cluster in which these nodes have slots of the service, with so many starts. */
function slotted(service: string, starts: Readonly<Record<string, number>>): ApiPorts["graph"] {
  const view = memoryPorts().ports.graph();
  const node = (id: string, at: number) => ({
    kind: "Node" as const,
    id,
    attributes: { address: `127.0.0.1:${at}` },
  });
  const nodes = Object.keys(starts).map((id, at) => node(id, at + 2));
  const slots = Object.entries(starts).map(([id, incarnation]) => ({
    kind: "ServiceName" as const,
    id: `${service}@${id}`,
    attributes: { service, node: id, incarnation, restarts: 0 },
  }));
  const graph = {
    ...view,
    get: (kind: "Node", id: string) => nodes.find((each) => each.id === id) ?? view.get(kind, id),
    list: (kind: string) => (kind === "ServiceName" ? slots : kind === "Node" ? nodes : []),
    in: (slot: string) => nodes.filter(({ id }) => slot.endsWith(`@${id}`)),
  };
  return () => graph as unknown as GraphView;
}

test("output that another node has is asked of that node by its name, so that nobody sends on again", async () => {
  const starts = { "node-1": 0, "node-2": 0, "node-3": 4 };
  const { url } = await start({ graph: slotted("job", starts) });
  const response = await fetch(`${url}/logs/job?lines=5`, { redirect: "manual" });
  expect(response.headers.get("location")).toBe("http://127.0.0.1:4/logs/job?lines=5&on=node-3");
});

test.each([
  ["what was never started", "job", { "node-1": 0, "node-2": 0 }, "never started"],
  ["a part of Halon", "halon-agency", { "node-1": 7, "node-2": 7 }, "the log of its halond"],
])("output of %s is nowhere, and says why", async (_, service, starts, why) => {
  const { url } = await start({ graph: slotted(service, starts) });
  const response = await fetch(`${url}/logs/${service}`, { redirect: "manual" });
  expect(await response.json()).toMatchObject({
    errorCode: "HAL_NOT_FOUND",
    errorMessage: expect.stringContaining(why),
  });
});

test("an unknown service is answered with what was deployed first, parts of Halon last", async () => {
  const view = memoryPorts().ports.graph();
  const part = { kind: "ServiceName", id: "x", attributes: { service: "halon-agency" } };
  const list = (kind: "ServiceName", where?: object) =>
    kind !== "ServiceName" ? view.list(kind) : where === undefined ? [part] : [];
  const graph = () => ({ ...view, list }) as unknown as GraphView;
  const { url } = await start({ graph });
  const { errorMessage } = (await (await fetch(`${url}/v1/services/ghost`)).json()) as {
    errorMessage: string;
  };
  expect(errorMessage).toContain("there are web, halon-agency.");
});

test("a plan of what apply would refuse is refused with the reason", async () => {
  const { send } = await start();
  const ghost = { name: "ghost", type: "ghost", on: "any-node", onNodeLoss: "move", config: {} };
  const deployments = [{ ...ghost, configHash: "0".repeat(64) }];
  const spec = { types: [], deployments, rules: [], prune: false };
  const response = await send("POST", "/v1/plan", { spec });
  expect(await response.json()).toMatchObject({
    errorCode: "HAL_CONFIG_INVALID",
    errorMessage: expect.stringContaining("the type ghost, which the cluster does not know"),
  });
});
