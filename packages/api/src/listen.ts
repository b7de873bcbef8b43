import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { HalonError } from "@halon/protocol";
import { refusalOf } from "./admit.ts";
import { errorBodyOf } from "./error-body.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { requestListener } from "./listen-request.ts";
import type { ApiPorts } from "./ports.ts";

export { isLoopback } from "./admit.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** What the routes of a node ask; undefined: there are none, only those of `onRequest`. */
  readonly ports: ApiPorts | undefined;
  /** Host names, besides those of loopback, that requests may name; `--advertise` is one. */
  readonly allowedHosts: readonly string[];
  /**
   * Called for requests whose Host and Origin are allowed, before any route; true: it answers, false: not mine, and
   * the request is untouched. It sees whatever content type: what changes something must not trust a form's.
   */
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Called for upgrades whose Host and Origin are allowed; false: not mine, and the socket is ended. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
  /** Told of bugs, which the client sees only as HAL_INTERNAL. */
  readonly onFault?: (error: unknown) => void;
  readonly limits?: Partial<Limits>;
}

/** The node's one listener. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections, gives running requests until the deadline, then cuts them. */
  close(deadlineMs?: number): Promise<void>;
}

/** Starts the listener; `HAL_PORT_IN_USE` when the address is taken. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const limits = { ...defaultLimits, ...options.limits };
  const closing = new AbortController();
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      // Half requests are cut at the next look, by default only every 30 s.
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    },
    await requestListener(options, limits, closing.signal),
  );
  server.maxConnections = limits.connectionsMax;
  // One more than allowed: Node drops what is above its own limit without a word.
  server.maxHeadersCount = limits.headerCountMax + 1;
  server.on("upgrade", (request, socket, head) => upgrade(options, request, socket, head));
  await start(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    host: options.host,
    port,
    close: (deadlineMs = 2_000) => close(server, closing, deadlineMs),
  };
}

function upgrade(
  options: ListenOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  // Without a listener a reset by the peer would end the whole node.
  socket.on("error", () => socket.destroy());
  const refusal = refusalOf(request.headers, options.allowedHosts);
  if (refusal !== null) refuse(socket, refusal);
  else if (options.onUpgrade?.(request, socket, head) !== true) {
    refuse(socket, new HalonError("HAL_NOT_FOUND", "There is nothing to upgrade to at this path."));
  }
}

function refuse(socket: Duplex, error: HalonError): void {
  const body = errorBodyOf(error);
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${body.code} Refused`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(text)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`, () => socket.destroy());
}

async function start(server: Server, options: ListenOptions): Promise<void> {
  server.listen({ host: options.host, port: options.port });
  try {
    await once(server, "listening");
  } catch (cause) {
    throw notListening(options, cause);
  }
}

function notListening({ host, port }: ListenOptions, cause: unknown): HalonError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    return new HalonError(
      "HAL_PORT_IN_USE",
      `Port ${port} of ${host} is taken. Stop what listens there (\`ss -ltnp sport = :${port}\` names it), or choose another port with --listen.`,
      { cause },
    );
  }
  return new HalonError(
    "HAL_FAILED",
    `Cannot listen on ${host}:${port}: ${code ?? String(cause)}. Choose an address of this machine with --listen.`,
    { cause },
  );
}

async function close(server: Server, closing: AbortController, deadlineMs: number): Promise<void> {
  closing.abort();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection becomes idle when its stream has ended, which Node looks at once only.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const cut = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
