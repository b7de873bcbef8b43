import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  cleanUp,
  ctl,
  events,
  halonctl,
  host,
  type Node,
  root,
  service,
  startNode,
  status,
  temporaryDirectory,
} from "./cluster.ts";

afterEach(cleanUp);

/** A node with the services and rules of the hello example. */
async function startHello(): Promise<Node> {
  const node = await startNode(temporaryDirectory(), ["--name", "node-1"]);
  await ctl(node.endpoint, "apply", "-f", join(root, "examples/hello/cluster.ts"));
  return node;
}

async function expectWell({ endpoint }: Node): Promise<void> {
  expect(await service(endpoint, "ping")).toMatchObject({ state: "running", incarnation: 1 });
  expect(await service(endpoint, "web")).toMatchObject({ state: "running", incarnation: 1 });
}

test("events that nobody declared or that do not fit are refused, and are not in the log", async () => {
  const node = await startHello();
  const emit = (...args: string[]) => halonctl(node.endpoint, "event", "emit", ...args);
  const unknown = await emit("NeverDeclared", "{}");
  expect(unknown.stderr).toContain("HAL_EVENT_UNKNOWN");
  expect(unknown.stderr).toContain("NeverDeclared");
  expect(unknown.code).toBe(2);
  const wrong = await emit("GreetingChanged", '{"greeting":""}');
  expect(wrong.stderr).toContain("HAL_SCHEMA_VIOLATION");
  expect(wrong.stderr).toContain("greeting");
  expect(wrong.code).toBe(2);
  const foreign = await emit("ServiceFailed", "{}");
  expect(foreign.stderr).toContain("HAL_FORBIDDEN");
  const types = (await events(node.endpoint)).map(({ type }) => type);
  for (const type of ["NeverDeclared", "GreetingChanged", "ServiceFailed"]) {
    expect(types).not.toContain(type);
  }
  await expectWell(node);
});

test("too much, half and broken requests cost nobody else anything", async () => {
  const node = await startHello();
  const { port } = new URL(node.endpoint);
  const halfHead = await raw(port, "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  const halfBody = await raw(
    port,
    "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
  );
  const nonsense = await raw(port, "\0\x01\x02 not http at all\r\n\r\n");
  expect(await answerOf(nonsense)).toMatch(/^HTTP\/1\.1 400/);

  for (const declared of [true, false]) {
    const { statusCode, body } = await post(node.endpoint, 100 * 1024 * 1024, declared);
    expect(statusCode).toBe(413);
    expect(JSON.parse(body)).toMatchObject({ error: true, errorCode: "HAL_TOO_LARGE" });
  }
  const deep = await fetch(`${node.endpoint}/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"type":"GreetingChanged","data":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
  });
  expect(deep.status).toBe(400);

  await expectWell(node);
  halfBody.destroy();
  expect(await answerOf(halfHead)).toMatch(/^HTTP\/1\.1 408/);
  await expectWell(node);
});

test("garbage on a node link is cut off", async () => {
  const node = await startHello();
  const url = `${node.endpoint.replace("http", "ws")}/_link`;
  const hello = { protocol: 1, node: "stranger", incarnation: 1, class: "control" };
  const frames = [
    "garbage",
    Buffer.from([0xc1, 0xff, 0x00]),
    Buffer.alloc(1_000_000, 0x91),
    Buffer.alloc(10_000_000),
    JSON.stringify({ ...hello, cluster: "another" }),
    JSON.stringify({ ...hello, protocol: 99 }),
  ];
  for (const frame of frames) {
    const ws = new WebSocket(url);
    ws.on("error", () => {});
    await once(ws, "open");
    ws.send(frame);
    await once(ws, "close", { signal: AbortSignal.timeout(10_000) });
  }
  const { nodes } = await status(node.endpoint);
  expect(nodes.map(({ name, state }) => `${name} ${state}`)).toEqual(["node-1 up"]);
  await expectWell(node);
});

async function raw(port: string, text: string): Promise<Socket> {
  const socket = connect(Number(port), host);
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(text, "latin1");
  return socket;
}

/** All that comes before the node closes the connection. */
async function answerOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  if (!socket.closed) await once(socket, "close", { signal: AbortSignal.timeout(20_000) });
  return Buffer.concat(chunks).toString();
}

/** Posts so many bytes, of a declared length or in chunks. */
function post(
  endpoint: string,
  bytes: number,
  declared: boolean,
): Promise<{ statusCode: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      ...(declared ? { "content-length": bytes } : {}),
    };
    const outgoing = request(`${endpoint}/v1/events`, { method: "POST", headers });
    outgoing.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ statusCode: response.statusCode, body }));
      response.on("error", reject);
    });
    // The node stops reading and closes while the rest is on its way.
    outgoing.on("error", (error) => setTimeout(reject, 1_000, error));
    const chunk = Buffer.alloc(1024 * 1024, " ");
    let left = bytes;
    const write = (): void => {
      while (left > 0 && !outgoing.destroyed) {
        left -= chunk.length;
        if (!outgoing.write(chunk)) {
          outgoing.once("drain", write);
          return;
        }
      }
      outgoing.end();
    };
    write();
  });
}
