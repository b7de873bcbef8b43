import {
  Agent,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { connect, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { linkPath } from "@halon/actor";

/** Idle connections to the member that are kept. */
const idleMax = 64;
/** How long the last bytes of a link may take to reach the peer. */
const lingerMs = 2_000;

const downText = "The member of the agency on this node does not run just now. Try again.";
const cutText =
  "The member of the agency on this node ended while the request waited: whether it took place is not known. Inquire.";

/** Hands requests and links on to a listener on a Unix socket, as they are. */
export interface Pipe {
  /** Answers a request; 503 when nobody listens. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Takes over a socket that asks for an upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
}

/** `where` tells the path of the socket, or null while nobody listens. */
export function pipeTo(where: () => string | null): Pipe {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: idleMax });
  return {
    handle(request, response) {
      const socketPath = where();
      if (socketPath === null) refuse(request, response, downText);
      else passRequest(agent, socketPath, request, response);
    },
    upgrade(request, socket, head) {
      const socketPath = where();
      if (socketPath === null) refuseUpgrade(socket);
      else passUpgrade(socketPath, request, socket, head);
    },
    close: () => agent.destroy(),
  };
}

/** Whether a request is the member's to answer. */
export function isForMember(url: string): boolean {
  const [path = ""] = url.split("?", 1);
  return (
    /^\/(_api\/agency(_priv)?|v1\/agency)(\/|$)/.test(path) ||
    path === "/_api/version" ||
    path.startsWith("/_db/_system/")
  );
}

/** Whether an upgrade is of a link between members. */
export function isLinkOfMember(url: string): boolean {
  const mark = url.indexOf("?");
  if (mark < 0 || url.slice(0, mark) !== linkPath) return false;
  return new URLSearchParams(url.slice(mark + 1)).get("for") === "agency";
}

function passRequest(
  agent: Agent,
  socketPath: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { method = "GET", url = "/" } = request;
  const hasBody =
    request.headers["transfer-encoding"] !== undefined ||
    request.headers["content-length"] !== undefined;
  // Node frames the body anew: by the length if it is told, else in chunks.
  const framing = request.headers["transfer-encoding"] === undefined ? [] : chunked;
  const headers = [...endToEnd(request.rawHeaders), ...framing];
  const onward = httpRequest({ socketPath, agent, method, path: url, headers });
  let isConnected = false;
  onward.once("socket", (socket) => {
    if (!socket.connecting) isConnected = true;
    else socket.once("connect", () => (isConnected = true));
  });
  onward.once("response", (answer) => passAnswer(request, answer, response));
  onward.on("error", () => {
    request.unpipe(onward);
    // An answer that has begun says by its end whether it is whole.
    if (!response.headersSent) refuse(request, response, isConnected ? cutText : downText);
  });
  response.once("close", () => {
    if (!response.writableFinished) onward.destroy();
  });
  if (hasBody) request.pipe(onward);
  else onward.end();
}

function passAnswer(
  request: IncomingMessage,
  answer: IncomingMessage,
  response: ServerResponse,
): void {
  const headers = endToEnd(answer.rawHeaders);
  // What the member does not want to read of a body, nobody reads.
  if (!request.complete && answer.headers.connection === "close") headers.push(...closing);
  response.sendDate = false;
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers);
  answer.once("close", () => {
    if (!answer.complete) response.destroy();
  });
  answer.pipe(response);
}

const chunked = ["Transfer-Encoding", "chunked"];
const closing = ["Connection", "close"];
/** Headers that are of one connection only (RFC 9110 §7.6.1); `Expect` was met by the first listener. */
const hopByHop = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding"],
  ...["te", "trailer", "upgrade", "expect"],
]);

/** Names and values in turn, as they were sent, without those of the connection. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const named = new Set(hopByHop);
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== "connection") continue;
    for (const name of rawHeaders[at + 1]?.split(",") ?? []) named.add(name.trim().toLowerCase());
  }
  // Without them a body would be read as the next request.
  for (const name of ["content-length", "host"]) named.delete(name);
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (!named.has(name.toLowerCase())) kept.push(name, rawHeaders[at + 1] ?? "");
  }
  return kept;
}

function refuse(request: IncomingMessage, response: ServerResponse, message: string): void {
  const body = JSON.stringify({ message });
  response.writeHead(503, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    "Retry-After": "1",
    // The rest of its body is not read.
    ...(request.complete ? {} : { Connection: "close" }),
  });
  response.end(body);
}

function passUpgrade(
  socketPath: string,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const inner = connect(socketPath);
  let isConnected = false;
  if (socket instanceof Socket) socket.setNoDelay(true);
  inner.once("connect", () => {
    isConnected = true;
    inner.write(headOf(request), "latin1");
    if (head.length > 0) inner.write(head);
    socket.pipe(inner);
    inner.pipe(socket);
  });
  inner.on("error", () => {
    if (isConnected) socket.destroy();
    else refuseUpgrade(socket);
  });
  inner.once("close", () => {
    if (isConnected) endSoon(socket);
  });
  socket.on("error", () => inner.destroy());
  socket.once("close", () => inner.destroy());
}

/** The head of the request as it came. */
function headOf({ method = "GET", url = "/", rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function refuseUpgrade(socket: Duplex): void {
  const body = JSON.stringify({ message: downText });
  const head = [
    "HTTP/1.1 503 Service Unavailable",
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.on("error", () => socket.destroy());
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  endSoon(socket);
}

/** Sends what was written, but does not wait for a peer that does not read. */
function endSoon(socket: Duplex): void {
  const late = setTimeout(() => socket.destroy(), lingerMs);
  late.unref();
  socket.once("close", () => clearTimeout(late));
  socket.end(() => socket.destroy());
}
