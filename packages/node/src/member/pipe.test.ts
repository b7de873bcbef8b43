import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { isForMember, isLinkOfMember, type Pipe, pipeTo } from "./pipe.ts";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Bench {
  readonly outer: Server;
  readonly port: number;
  readonly inner: Server;
  readonly pipe: Pipe;
  /** Closes the listener at the end of the pipe, and all that is connected to it. */
  readonly down: () => Promise<void>;
}

/** A server on a port that hands everything on to one on a Unix socket, which answers with `answer`. */
async function bench(answer: RequestListener): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), "halon-pipe-"));
  cleanUps.push(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "1");
  const inner = createServer({ keepAliveTimeout: 0 }, answer);
  inner.listen(path);
  await once(inner, "listening");
  const pipe = pipeTo(() => path);
  const outer = createServer((request, response) => pipe.handle(request, response));
  outer.on("upgrade", (request, socket, head) => pipe.upgrade(request, socket, head));
  outer.listen(0, "127.0.0.1");
  await once(outer, "listening");
  const down = async (): Promise<void> => {
    if (!inner.listening) return;
    inner.closeAllConnections();
    await new Promise((resolve) => inner.close(resolve));
  };
  cleanUps.push(async () => {
    pipe.close();
    outer.closeAllConnections();
    await new Promise((resolve) => outer.close(resolve));
    await down();
  });
  return { outer, inner, pipe, down, port: (outer.address() as AddressInfo).port };
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Sends bytes as they are and gives all that comes back until the connection ends. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  let answer = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    answer += chunk;
  });
  await once(socket, "close");
  return answer;
}

describe("requests", () => {
  test.each([
    { name: "with its length", sized: true },
    { name: "in chunks", sized: false },
  ])("5 MB each way, the body $name", async ({ sized }) => {
    const { port } = await bench((request, response) => void request.pipe(response));
    const body = randomBytes(5_000_000);
    const headers = sized ? { "Content-Length": body.length } : {};
    const request = httpRequest({ port, host: "127.0.0.1", method: "POST", path: "/a", headers });
    if (sized) request.end(body);
    else {
      for (let at = 0; at < body.length; at += 500_000)
        request.write(body.subarray(at, at + 500_000));
      request.end();
    }
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(hashOf(await bodyOf(response))).toBe(hashOf(body));
  });

  test("an answer comes on while it is made", async () => {
    const { port } = await bench((request, response) => {
      request.once("data", (first: Buffer) => {
        response.write(first);
        request.on("data", (second: Buffer) => response.end(second));
      });
    });
    const request = httpRequest({ port, host: "127.0.0.1", method: "POST", path: "/a" });
    request.write("first");
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const [first] = (await once(response, "data")) as [Buffer];
    expect(first.toString()).toBe("first");
    // Only now the answer can go on: nothing was held back until its end.
    request.end("second");
    expect((await bodyOf(response)).toString()).toBe("second");
  });

  test("status, headers and their order pass, those of a connection do not", async () => {
    let seen: readonly string[] = [];
    const { port } = await bench((request, response) => {
      seen = request.rawHeaders;
      response.sendDate = false;
      response.writeHead(307, "Elsewhere", ["Location", "http://a:1/b", "X-A", "1", "X-A", "2"]);
      response.end();
    });
    const head = "GET /a?b=c HTTP/1.1\r\nHost: me:1\r\nX-Own: a\r\nX-Hop: b\r\n";
    const answer = await exchange(port, `${head}Connection: close, X-Hop\r\n\r\n`);
    expect(seen.slice(0, 4)).toEqual(["Host", "me:1", "X-Own", "a"]);
    expect(seen).not.toContain("X-Hop");
    expect(answer.split("\r\n").slice(0, 4)).toEqual([
      "HTTP/1.1 307 Elsewhere",
      "Location: http://a:1/b",
      "X-A: 1",
      "X-A: 2",
    ]);
  });

  test("a header cannot make a body pass for the next request", async () => {
    const urls: string[] = [];
    const { port } = await bench((request, response) => {
      urls.push(request.url ?? "");
      request.resume().on("end", () => response.end("ok"));
    });
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    const head = `GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n`;
    await exchange(port, `${head}Connection: close, Content-Length\r\n\r\n${smuggled}`);
    expect(urls).toEqual(["/a"]);
  });

  test("a client that goes ends the request at the other end", async () => {
    let arrived: (request: IncomingMessage) => void = () => undefined;
    const asked = new Promise<IncomingMessage>((resolve) => {
      arrived = resolve;
    });
    const { port } = await bench((request) => arrived(request));
    const request = httpRequest({ port, host: "127.0.0.1", path: "/poll" });
    request.on("error", () => undefined);
    request.end();
    const { socket } = await asked;
    request.destroy();
    await once(socket, "close");
  });

  test("who does not want the rest of a body is not sent it", async () => {
    const { port } = await bench((_, response) => {
      response.writeHead(413, { Connection: "close" });
      response.end("too large");
    });
    const head = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    const lines = (await exchange(port, `${head}part`)).split("\r\n");
    expect(lines[0]).toBe("HTTP/1.1 413 Payload Too Large");
    expect(lines).toContain("Connection: close");
  });
});

describe("with nobody there", () => {
  test("503 says that the member does not run, and the connection can be used again", async () => {
    const { port, down } = await bench((_, response) => response.end("ok"));
    expect((await fetch(`http://127.0.0.1:${port}/a`)).status).toBe(200);
    await down();
    for (let round = 0; round < 2; round++) {
      const response = await fetch(`http://127.0.0.1:${port}/a`, { method: "POST", body: "b" });
      expect(response.status).toBe(503);
      expect(await response.json()).toEqual({ message: expect.stringContaining("Try again") });
    }
  });

  test("a request that was under way is said to be of unknown outcome", async () => {
    let fall: () => void = () => undefined;
    const { port, down } = await bench(() => fall());
    fall = () => void down();
    const response = await fetch(`http://127.0.0.1:${port}/a`, { method: "POST", body: "b" });
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ message: expect.stringContaining("not known") });
  });

  test("an answer that breaks off does not pass for a whole one", async () => {
    const { port, down } = await bench((_, response) => response.write("half"));
    const response = await fetch(`http://127.0.0.1:${port}/a`);
    const body = response.text();
    await down();
    await expect(body).rejects.toThrow();
  });

  test("an upgrade is refused with 503", async () => {
    const { port, down } = await bench((_, response) => response.end());
    await down();
    const answer = await exchange(
      port,
      "GET /_link?for=agency HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1.1 503 /);
  });
});

describe("links", () => {
  test("frames pass both ways, and the close of each end with its reason", async () => {
    const { port, inner } = await bench((_, response) => response.end());
    const sockets = new WebSocketServer({ noServer: true });
    inner.on("upgrade", (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (ws) => {
        ws.on("message", (data, isBinary) => {
          if (isBinary) ws.send(data);
          else ws.close(4001, "said enough");
        });
      });
    });
    const ws = new WebSocket(`ws://127.0.0.1:${port}/_link?for=agency`);
    await once(ws, "open");
    const sent = randomBytes(3_000_000);
    ws.send(sent);
    const [echo] = (await once(ws, "message")) as [Buffer];
    expect(hashOf(echo)).toBe(hashOf(sent));
    ws.send("text");
    const [code, reason] = (await once(ws, "close")) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4001, "said enough"]);
  });

  test("a link ends when either end is cut", async () => {
    const { port, inner } = await bench((_, response) => response.end());
    const sockets = new WebSocketServer({ noServer: true });
    const accepted = (): Promise<WebSocket> =>
      new Promise((resolve) => {
        inner.once("upgrade", (request, socket, head) => {
          sockets.handleUpgrade(request, socket, head, resolve);
        });
      });
    for (const end of ["client", "member"] as const) {
      const taken = accepted();
      const client = new WebSocket(`ws://127.0.0.1:${port}/_link?for=agency`);
      client.on("error", () => undefined);
      const member = await taken;
      await once(client, "open");
      const [cut, other] = end === "client" ? [client, member] : [member, client];
      cut.terminate();
      await once(other, "close");
    }
  });
});

test.each([
  ["/_api/agency", true],
  ["/_api/agency/read?a=b", true],
  ["/_api/agency_priv/gossip", true],
  ["/v1/agency/config", true],
  ["/_db/_system/_api/agency/read", true],
  ["/_api/version", true],
  ["/_api/agencyx", false],
  ["/_api/versions", false],
  ["/v1/graph", false],
])("%s is the member's: %s", (url, expected) => {
  expect(isForMember(url)).toBe(expected);
});

test.each([
  ["/_link?for=agency", true],
  ["/_link", false],
  ["/_link?for=other", false],
  ["/other?for=agency", false],
])("a link at %s is the member's: %s", (url, expected) => {
  expect(isLinkOfMember(url)).toBe(expected);
});
