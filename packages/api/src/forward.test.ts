import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type Listener, listen } from "./listen.ts";
import type { ApiPorts } from "./ports.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

const open: { close(deadlineMs?: number): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close(0);
});

type Leading = { readonly endpoint: string; readonly leaderEndpoint: string | null };

async function node(name: string, leading: Leading, overrides: Partial<ApiPorts> = {}) {
  const memory = memoryPorts(overrides);
  // Asked for anew each time: who leads may change.
  const identity = () => ({ ...memory.ports.identity(), name, ...leading });
  const listener: Listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ports: { ...memory.ports, identity },
    allowedHosts: [],
  });
  open.push(listener);
  return { ...memory, endpoint: `127.0.0.1:${listener.port}` };
}

const own = { endpoint: "127.0.0.1:1", leaderEndpoint: "127.0.0.1:1" };

async function pair(overrides: Partial<ApiPorts> = {}) {
  const leader = await node("node-1", own, overrides);
  const other = { endpoint: "127.0.0.1:2", leaderEndpoint: leader.endpoint };
  return { leader, follower: await node("node-2", other) };
}

function post(endpoint: string, path: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(`http://${endpoint}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", ...headers },
    redirect: "manual",
  });
}

test("a change takes place on the leader, whichever node is asked", async () => {
  const { leader, follower } = await pair();
  const response = await post(follower.endpoint, "/v1/services/web/start?wait=true", {});
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ state: "done", index: 1 });
  expect(leader.submitted).toHaveLength(1);
  expect(follower.submitted).toEqual([]);
});

test("a consistent read is the leader's, any other one is answered where it is asked", async () => {
  const { follower } = await pair({ staleness: () => ({ revision: 99, stalenessMs: 0 }) });
  const read = (path: string) => fetch(`http://${follower.endpoint}${path}`);
  expect((await read("/v1/nodes?consistent=true")).headers.get("halon-revision")).toBe("99");
  expect((await read("/v1/nodes")).headers.get("halon-revision")).toBe("7");
});

test("what was changed through a node can be read there as soon as it has answered", async () => {
  const leader = await node("node-1", own, {
    staleness: () => ({ revision: 12, stalenessMs: 0 }),
  });
  let revision = 11;
  const looked: number[] = [];
  const follower = await node(
    "node-2",
    { endpoint: "127.0.0.1:2", leaderEndpoint: leader.endpoint },
    {
      staleness: () => {
        looked.push(revision);
        if (looked.length === 3) revision = 12;
        return { revision, stalenessMs: 0 };
      },
    },
  );
  const response = await post(follower.endpoint, "/v1/services/web/start?wait=true", {});
  expect(response.headers.get("halon-revision")).toBe("12");
  expect(looked.slice(0, 3)).toEqual([11, 11, 11]);
});

test("an error of the leader comes back as it is", async () => {
  const { follower } = await pair();
  const response = await post(follower.endpoint, "/v1/events", { type: "Unheard" });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ errorCode: "HAL_EVENT_UNKNOWN" });
});

test("two nodes that each take the other to lead send a request on once", async () => {
  const addresses: string[] = [];
  const seen = (at: number) => ({
    endpoint: "127.0.0.1:9",
    get leaderEndpoint() {
      return addresses[at] ?? null;
    },
  });
  const a = await node("node-1", seen(1));
  const b = await node("node-2", seen(0));
  addresses.push(a.endpoint, b.endpoint);
  const response = await post(a.endpoint, "/v1/events", { type: "X" });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ errorCode: "HAL_NO_LEADER" });
  expect([...a.submitted, ...b.submitted]).toEqual([]);
});

test("without a leader, or with one that is gone, nothing was sent and the answer says so", async () => {
  for (const leaderEndpoint of [null, "127.0.0.1:1"]) {
    const alone = await node("node-2", { endpoint: "127.0.0.1:2", leaderEndpoint });
    const response = await post(alone.endpoint, "/v1/events", { type: "X" });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ errorCode: "HAL_NO_LEADER" });
  }
});

test("a connection that ends before the answer leaves the outcome open, and says so", async () => {
  const dead = await raw((request) => request.socket.destroy());
  const follower = await node("node-2", { endpoint: "127.0.0.1:2", leaderEndpoint: dead });
  const response = await post(follower.endpoint, "/v1/events", { type: "X" });
  expect(await response.json()).toMatchObject({
    errorCode: "HAL_UNREACHABLE",
    errorMessage: expect.stringContaining("unknown"),
  });
});

test("a leader that answers no more is waited for until another leads", async () => {
  const leading = { endpoint: "127.0.0.1:2", leaderEndpoint: "" };
  leading.leaderEndpoint = await raw(() => {
    leading.leaderEndpoint = "127.0.0.1:3";
  });
  const follower = await node("node-2", leading);
  const response = await post(follower.endpoint, "/v1/events", { type: "X" });
  expect(await response.json()).toMatchObject({
    errorCode: "HAL_UNREACHABLE",
    errorMessage: expect.stringContaining("Another node leads now"),
  });
});

test("the leader is told who sent it on, and nothing of the client's connection", async () => {
  let headers: IncomingMessage["headers"] = {};
  const leader = await raw((request, response) => {
    headers = request.headers;
    response.end("{}");
  });
  const follower = await node("node-2", { endpoint: "127.0.0.1:2", leaderEndpoint: leader });
  const origin = `http://${follower.endpoint}`;
  await post(follower.endpoint, "/v1/events", { type: "X" }, { Origin: origin, "X-Other": "1" });
  expect(headers).toMatchObject({ "halon-forwarded": "node-2", host: leader });
  expect(headers).not.toHaveProperty("origin");
  expect(headers).not.toHaveProperty("x-other");
});

test("a blob passes through in pieces", async () => {
  const { leader, follower } = await pair();
  const bytes = Buffer.alloc(5_000_000, "halon");
  const hash = createHash("sha256").update(bytes).digest("hex");
  const response = await fetch(`http://${follower.endpoint}/v1/blobs/${hash}`, {
    method: "PUT",
    body: bytes,
    headers: { "Content-Type": "application/octet-stream" },
  });
  expect(await response.json()).toEqual({ hash, bytes: bytes.length });
  expect([...leader.blobs.keys()]).toEqual([hash]);
});

async function raw(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a client that hangs up while the leader's answer is passed on ends that request alone", async () => {
  let close = () => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  const leader = createServer((_, response) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    // What comes after the client has gone is the harder part.
    const goOn = setInterval(() => response.write("[]"), 1);
    response.on("close", () => {
      clearInterval(goOn);
      close();
    });
  });
  await new Promise<void>((resolve) => leader.listen(0, "127.0.0.1", resolve));
  open.push({ close: () => leader.close() });
  const { port } = leader.address() as AddressInfo;
  const follower = await node("node-2", {
    endpoint: "127.0.0.1:2",
    leaderEndpoint: `127.0.0.1:${port}`,
  });
  const hangUp = new AbortController();
  const url = `http://${follower.endpoint}/v1/nodes?consistent=true`;
  const response = await fetch(url, { signal: hangUp.signal });
  expect(response.status).toBe(200);
  hangUp.abort();
  await closed;
  expect((await fetch(`http://${follower.endpoint}/v1/nodes`)).status).toBe(200);
});
