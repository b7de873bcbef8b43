import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type Listener, type ListenOptions, listen } from "./listen.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

const open: Listener[] = [];

afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close(0);
});

async function start(options: Partial<ListenOptions> = {}) {
  const memory = memoryPorts();
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ports: memory.ports,
    allowedHosts: [],
    ...options,
  });
  open.push(listener);
  return { ...memory, port: listener.port, url: `http://127.0.0.1:${listener.port}` };
}

/** Sends raw bytes and gives all that comes back until the server closes. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  return drained(socket);
}

async function drained(socket: Socket): Promise<string> {
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.on("error", () => undefined);
  await once(socket, "close");
  return answer;
}

test.each([
  ["POST", "/v1/services/web/start"],
  ["POST", "/v1/services/web/stop"],
  ["POST", "/v1/services/web/restart"],
  ["POST", "/v1/services/web/send"],
  ["POST", "/v1/services/web/check"],
  ["POST", "/v1/services/web/status"],
  ["PUT", "/v1/services/web/config"],
  ["POST", "/v1/apply"],
  ["POST", "/v1/plan"],
  ["POST", "/v1/events"],
  ["POST", "/v1/blobs/missing"],
  ["PUT", `/v1/blobs/${"0".repeat(64)}`],
  ["POST", "/shutdown"],
])("%s %s refuses the form of another origin, and any form", async (method, path) => {
  const { url, submitted, shutdowns, blobs } = await start();
  const form = { "Content-Type": "application/x-www-form-urlencoded" };
  const foreign = await fetch(url + path, {
    method,
    body: "a=b",
    headers: { ...form, Origin: "http://evil.example" },
  });
  const own = await fetch(url + path, { method, body: "a=b", headers: form });
  expect([foreign.status, own.status]).toEqual([403, 400]);
  expect(await foreign.json()).toMatchObject({
    error: true,
    code: 403,
    errorCode: "HAL_FORBIDDEN",
  });
  expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
  expect([submitted.length, shutdowns.length, blobs.size]).toEqual([0, 0, 0]);
});

test("a Host that is not this node is refused", async () => {
  const { port } = await start();
  const answer = await raw(
    port,
    "GET /v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 403 /);
});

test.each(["/v1/events", `/v1/blobs/${"0".repeat(64)}`])(
  "100 MB to %s are answered with 413 before they are read",
  async (path) => {
    const { port } = await start();
    const request = httpRequest({
      port,
      path,
      method: path.includes("blobs") ? "PUT" : "POST",
      headers: {
        "Content-Type": path.includes("blobs") ? "application/octet-stream" : "application/json",
        "Content-Length": 100_000_000,
      },
    });
    request.on("error", () => undefined);
    request.flushHeaders();
    const [response] = await once(request, "response");
    expect(response.statusCode).toBe(413);
    response.resume();
    await once(request, "close");
  },
);

test("a chunked body is cut at the limit, whatever it declares", async () => {
  const { port } = await start({ limits: { bodyBytesMax: 1_000 } });
  const request = httpRequest({
    port,
    path: "/v1/events",
    method: "POST",
    headers: { "Content-Type": "application/json", "Transfer-Encoding": "chunked" },
  });
  request.on("error", () => undefined);
  request.write("x".repeat(5_000));
  const [response] = await once(request, "response");
  expect(response.statusCode).toBe(413);
  response.resume();
  await once(request, "close");
});

test.each([
  ["headers", "GET /v1/status HTTP/1.1\r\nHost: 127"],
  [
    "a body",
    "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
  ],
  ["nothing at all", ""],
])("a request that stops within %s is cut", async (_, text) => {
  const { port } = await start({ limits: { headersTimeoutMs: 100, requestTimeoutMs: 200 } });
  expect(await raw(port, text)).not.toMatch(/ 200 /);
});

test("more headers or larger ones than allowed are refused", async () => {
  const { port } = await start();
  const many = Array.from({ length: 150 }, (_, at) => `X-${at}: 1\r\n`).join("");
  const request = (headers: string) =>
    raw(port, `GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${headers}\r\n`);
  expect(await request(many)).toMatch(/^HTTP\/1\.1 400 /);
  expect(await request(`X: ${"x".repeat(17_000)}\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
});

test("a request with both lengths is refused (request smuggling)", async () => {
  const { port } = await start();
  const answer = await raw(
    port,
    "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
});

test("an upgrade is refused to a foreign page and at an unknown path", async () => {
  const { port } = await start({
    onUpgrade: (request, socket) => {
      if (request.url !== "/link") return false;
      socket.end("taken");
      return true;
    },
  });
  const upgrade = (path: string, more = "") =>
    raw(
      port,
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`,
    );
  expect(await upgrade("/link")).toBe("taken");
  expect(await upgrade("/link", "Origin: http://evil.example\r\n")).toMatch(/^HTTP\/1\.1 403 /);
  expect(await upgrade("/other")).toMatch(/^HTTP\/1\.1 404 /);
});

test("a port that is taken is named, with what to do", async () => {
  const { port } = await start();
  await expect(start({ port })).rejects.toMatchObject({
    code: "HAL_PORT_IN_USE",
    message: expect.stringContaining(`Port ${port} `),
  });
});

test("closing ends streams at once", async () => {
  const { url, publish, subscribers } = await start();
  publish(1);
  const response = await fetch(`${url}/v1/events/stream?after=0`);
  const [listener] = open.splice(0);
  await listener?.close(60_000);
  await response.text();
  expect(subscribers()).toBe(0);
});

test("what stands before the routes sees admitted requests only, and gives back what is not its own", async () => {
  const seen: string[] = [];
  const { port, url } = await start({
    onRequest: (request, response) => {
      seen.push(request.url ?? "");
      if (request.url !== "/taken") return false;
      response.end("mine");
      return true;
    },
  });
  const form = { "Content-Type": "application/x-www-form-urlencoded" };
  const taken = await fetch(`${url}/taken`, { method: "POST", body: "[]", headers: form });
  expect(await taken.text()).toBe("mine");
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const foreign = await fetch(`${url}/taken`, { headers: { Origin: "http://evil.example" } });
  expect([foreign.status, await foreign.json()]).toMatchObject([403, { code: 403 }]);
  const request = (headers: string) =>
    raw(port, `GET /taken HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`);
  expect(await request("Host: evil.example\r\n")).toMatch(/^HTTP\/1\.1 403 /);
  // Twice: the second time the Host is known.
  for (const _ of [1, 2]) {
    expect(await request(`Host: localhost:${port}\r\n`)).toMatch(/mine$/);
    expect(await request(`Host: localhost:${port}\r\nOrigin: http://localhost:1\r\n`)).toMatch(
      /^HTTP\/1\.1 403 /,
    );
  }
  expect(seen).toEqual(["/taken", "/livez", "/taken", "/taken"]);
});

test("a listener without the routes of a node answers 404, and refuses as all do", async () => {
  const { url, port } = await start({ ports: undefined });
  const answer = await fetch(`${url}/v1/status`);
  expect([answer.status, await answer.json()]).toMatchObject([
    404,
    { error: true, errorCode: "HAL_NOT_FOUND" },
  ]);
  expect(await raw(port, "GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 403 /,
  );
});
