import { type DeploymentSpec, HalonError, keyOf } from "@halon/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { type Listener, listen } from "./listen.ts";
import type { ApiPorts } from "./ports.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

const open: Listener[] = [];

afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close(0);
});

async function start(overrides: Partial<ApiPorts> = {}) {
  const { ports, submitted } = memoryPorts(overrides);
  const faults: unknown[] = [];
  const onFault = (error: unknown) => void faults.push(error);
  const listener = await listen({ host: "127.0.0.1", port: 0, ports, allowedHosts: [], onFault });
  open.push(listener);
  const send = async (method: string, path: string, body: unknown) => {
    const response = await fetch(`http://127.0.0.1:${listener.port}${path}`, {
      method,
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
    return { status: response.status, text: await response.text() };
  };
  return { ports, submitted, faults, send };
}

/** No leader: every change is refused. */
function withoutLeader(): Partial<ApiPorts> {
  const { ports } = memoryPorts();
  return { identity: () => ({ ...ports.identity(), leaderEndpoint: null }) };
}

describe("a message to a service", () => {
  test("is sent without a leader", async () => {
    const { send } = await start(withoutLeader());
    const { status, text } = await send("POST", "/v1/services/web/send", { message: "ping" });
    expect([status, JSON.parse(text)]).toEqual([
      200,
      { instance: "web@node-1#1", answer: ["ping"] },
    ]);
    expect((await send("POST", "/v1/services/web/start", {})).status).toBe(503);
  });

  test("goes out once, with all that was asked", async () => {
    const calls: unknown[] = [];
    const { send } = await start({
      send: (...call) => {
        calls.push(call);
        return Promise.reject(new HalonError("HAL_TIMEOUT", "No answer within 250 ms."));
      },
    });
    const body = { on: "node-1", message: "add", args: [1, { by: 2 }], timeoutMs: 250 };
    const { status } = await send("POST", "/v1/services/web/send?timeout=9s", body);
    expect(status).toBe(504);
    const call = { on: "node-1", instance: undefined, message: "add", args: [1, { by: 2 }] };
    expect(calls).toEqual([["web", call, 250]]);
  });

  test.each([
    ["to a service that is not there", "/v1/services/ghost/send", { message: "a" }, 404],
    ["to a node that is not there", "/v1/services/web/send", { message: "a", on: "ghost" }, 404],
    ["without a name", "/v1/services/web/send", {}, 400],
    [
      "for longer than an hour",
      "/v1/services/web/send",
      { message: "a", timeoutMs: 3_600_001 },
      400,
    ],
    ["to no instance", "/v1/services/web/send", { message: "a", instance: "web" }, 400],
  ])("%s is refused", async (_, path, body, status) => {
    const { send } = await start();
    expect((await send("POST", path, body)).status).toBe(status);
  });
});

const value = "correct horse battery staple";
const deployment: DeploymentSpec = {
  name: "web",
  type: "web",
  on: "any-node",
  onNodeLoss: "move",
  config: { token: value },
  configHash: "1".repeat(64),
};
const spec = { types: [], deployments: [deployment], rules: [], prune: false };

describe("the value of a secret in the place of a reference", () => {
  test.each([
    ["PUT", "/v1/services/web/config", { config: { token: value } }],
    ["POST", "/v1/apply", { spec }],
    ["POST", "/v1/plan", { spec }],
    ["POST", "/v1/events", { type: "ClusterApplied", data: { operation: "o", spec } }],
    [
      "POST",
      "/v1/events",
      {
        type: "ConfigurationRequested",
        data: { operation: "o", service: "web", config: { token: value }, configHash: "1" },
      },
    ],
  ])(
    "is refused by %s %s before it is in the log, and not repeated",
    async (method, path, body) => {
      const { send, submitted, faults } = await start();
      const { status, text } = await send(method, path, body);
      expect([status, JSON.parse(text)]).toMatchObject([
        400,
        { errorMessage: expect.stringContaining("config.token is a secret") },
      ]);
      expect(JSON.stringify([text, submitted, faults])).not.toContain(value);
      expect(submitted).toEqual([]);
    },
  );

  test("is refused for a type that the cluster file itself brings", async () => {
    const { send, submitted, ports } = await start();
    const schema = ports.graph().out(keyOf("Service", "web"), "accepts", "Schema")[0]?.attributes;
    const type = { name: "new", configurationSchema: schema?.schema };
    const deployments = [{ ...deployment, type: "new" }];
    const manifest = {
      ...{ serviceName: "new", version: "1.0.0", kind: "worker", blob: "0".repeat(64), files: [] },
      ...{ schemaHash: "2".repeat(64), resources: {}, restart: {}, memoryMb: 64 },
      ...{ startTimeoutMs: 1_000, stopTimeoutMs: 1_000, checkEveryMs: 1_000, checkTimeoutMs: 500 },
    };
    const body = { spec: { ...spec, types: [{ ...manifest, ...type }], deployments } };
    const { text } = await send("POST", "/v1/apply", body);
    expect(text).toContain("config.token is a secret");
    expect(submitted).toEqual([]);
  });

  test("is taken as a reference, and shown as one", async () => {
    const { send, submitted } = await start();
    const token = { $secret: "file:/etc/web.token" };
    await send("PUT", "/v1/services/web/config", { config: { token } });
    expect(submitted).toMatchObject([{ data: { config: { token } } }]);
  });
});
