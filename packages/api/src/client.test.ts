import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createClient } from "./client.ts";
import { listen } from "./listen.ts";
import type { ApiPorts } from "./ports.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function node(overrides: Partial<ApiPorts> = {}) {
  const memory = memoryPorts(overrides);
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ports: memory.ports,
    allowedHosts: [],
  });
  ends.push(() => listener.close(0));
  return { ...memory, endpoint: `127.0.0.1:${listener.port}` };
}

async function impostor(handler: RequestListener): Promise<string> {
  const server: Server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function client(endpoints: readonly string[], options: object = {}) {
  const made = createClient({ endpoints, timeoutMs: 5_000, ...options });
  ends.push(() => made.close());
  return made;
}

const satelliteOf = (leaderEndpoint: string) => () => ({
  ...memoryPorts().ports.identity(),
  role: "satellite" as const,
  leaderEndpoint,
});

test("an endpoint that does not answer is skipped", async () => {
  const { endpoint } = await node();
  const status = await client(["127.0.0.1:1", endpoint]).status();
  expect(status.cluster.id).toBe("c1");
});

test("a change follows a satellite to the tracking node", async () => {
  const tracking = await node();
  const satellite = await node({ identity: satelliteOf(tracking.endpoint) });
  await client([satellite.endpoint]).emit({ id: "e1", type: "X", data: { a: 1 } });
  expect(tracking.submitted).toEqual([{ id: "e1", type: "X", data: { a: 1 } }]);
});

test("nodes that send each other's requests on end in HAL_NO_LEADER", async () => {
  let other = "";
  const one = await node({ identity: () => satelliteOf(other)() });
  const two = await node({ identity: satelliteOf(one.endpoint) });
  other = two.endpoint;
  await expect(client([one.endpoint]).emit({ type: "X" })).rejects.toMatchObject({
    code: "HAL_NO_LEADER",
  });
});

test("nobody there is HAL_UNREACHABLE and names who was asked", async () => {
  await expect(client(["127.0.0.1:1"]).status()).rejects.toMatchObject({
    code: "HAL_UNREACHABLE",
    message: expect.stringContaining("127.0.0.1:1"),
  });
});

test("an error keeps its code and message", async () => {
  const { endpoint } = await node();
  await expect(client([endpoint]).service("ghost")).rejects.toMatchObject({
    code: "HAL_NOT_FOUND",
    message: expect.stringContaining('"ghost"'),
  });
});

test.each([
  ["a page", 200, "<html>login</html>", "HAL_FAILED"],
  ["an error page", 500, "<html>oops</html>", "HAL_FAILED"],
  ["a proxy without upstream", 503, "no upstream", "HAL_UNREACHABLE"],
  ["other JSON", 200, '{"a":1}', "HAL_FAILED"],
])("%s instead of an answer is one line", async (_, status, body, code) => {
  const endpoint = await impostor((_request, response) => response.writeHead(status).end(body));
  const error = await client([endpoint])
    .status()
    .catch((caught) => caught);
  expect(error.code).toBe(code);
  expect(error.message).not.toContain("\n");
});

test("an answer above the limit is cut", async () => {
  const endpoint = await impostor((_request, response) => response.end("x".repeat(10_000)));
  await expect(client([endpoint], { answerBytesMax: 100 }).status()).rejects.toMatchObject({
    code: "HAL_TOO_LARGE",
  });
});

test("a node that stays silent is HAL_TIMEOUT", async () => {
  const endpoint = await impostor(() => undefined);
  await expect(client([endpoint], { timeoutMs: 50 }).status()).rejects.toMatchObject({
    code: "HAL_TIMEOUT",
  });
});

test("an event that was perhaps taken is not sent to a second node", async () => {
  const { endpoint, submitted } = await node();
  const broken = await impostor((request) => request.socket.destroy());
  await expect(client([broken, endpoint]).emit({ type: "X" })).rejects.toMatchObject({
    code: "HAL_UNREACHABLE",
  });
  expect(submitted).toEqual([]);
});

test("only the blobs that are missing are sent", async () => {
  const { endpoint, blobs } = await node();
  const sha = "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e";
  const bytes = new TextEncoder().encode("Hello World");
  const c = client([endpoint]);
  expect(await c.sendBlobs([{ hash: sha, bytes }])).toBe(1);
  expect(await c.sendBlobs([{ hash: sha, bytes }])).toBe(0);
  expect([...blobs.keys()]).toEqual([sha]);
});

test("a tail gives what was and what comes, in order, from where it is resumed", async () => {
  const { endpoint, publish } = await node();
  publish(1);
  publish(2);
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const entry of client([endpoint]).tail("1", stop.signal)) {
    seen.push(entry.index);
    if (entry.index === 2) publish(3);
    if (entry.index === 3) break;
  }
  expect(seen).toEqual([2, 3]);
});
