import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { linkPath, linkServerOptions } from "@halon/actor";
import { type Listener, listen } from "@halon/api/listen";
import { HalonError, toErrorData } from "@halon/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { type DataDir, openDataDir } from "./data-dir.ts";
import { type NodeLog, openLog } from "./log.ts";
import type { NodeOptions } from "./options.ts";

/** What `halond agency` is started with, as far as the process around a member needs it. */
export interface AgencyNodeOptions extends Pick<NodeOptions, "dataDir" | "advertise" | "log"> {
  readonly name: string;
  readonly listen: { readonly host: string; readonly port: number };
}

/** One member of an agency, as the process around it sees it. */
export interface AgencyPart {
  readonly id: string;
  /** Answers a request of the agency; false: it is none. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  /** Takes a WebSocket whose upgrade has completed in this tick. */
  accept(ws: WebSocket): Promise<void>;
  /** Why it cannot serve now, or null. */
  notReady(): string | null;
  close(): Promise<void>;
}

/** Why a member ended by itself, and what its process ends with. */
export interface AgencyEnd {
  readonly reason: string;
  readonly exitCode: number;
}

/** Opens the member, when it is known where it can be reached. */
export type OpenAgency = (around: {
  /** Absolute, and this process's alone. */
  readonly dataDir: string;
  /** `host:port`. */
  readonly advertise: string;
  readonly log: (line: string) => void;
  readonly onEnd: (reason: string, exitCode: number) => void;
  /** Told of bugs. */
  readonly onFault: (error: unknown) => void;
}) => Promise<AgencyPart>;

/** A member that is open; it may still look for the others. */
export interface RunningAgencyNode {
  readonly name: string;
  readonly id: string;
  /** `host:port` at which clients and other members reach it. */
  readonly endpoint: string;
  readonly ended: Promise<AgencyEnd>;
  /** Opens the log file anew, after it was moved away. */
  reopenLog(): void;
  stop(): Promise<void>;
}

/** Lets a command use a data directory that no process uses. Errors: HAL_DATA_DIR_LOCKED, HAL_DATA_DIR_INVALID. */
export async function withDataDir<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  const dataDir = await openDataDir(path);
  try {
    return await use(dataDir.path);
  } finally {
    dataDir.release();
  }
}

/** Starts one member of a standalone agency and nothing else. Errors name what stands in the way and the remedy. */
export async function startAgencyNode(
  options: AgencyNodeOptions,
  open: OpenAgency,
): Promise<RunningAgencyNode> {
  if (process.platform !== "linux") {
    throw new HalonError("HAL_PLATFORM", `halond runs on Linux only; this is ${process.platform}.`);
  }
  const dataDir = await openDataDir(options.dataDir);
  const log = openLog({ ...options.log, name: options.name });
  let listener: Listener | undefined;
  try {
    // The listener comes first: with port 0 nobody knows the address before.
    let part: AgencyPart | undefined;
    listener = await listenFor(options, log, () => part);
    const endpoint = options.advertise ?? `${shownHost(options.listen.host)}:${listener.port}`;
    dataDir.announce(endpoint);
    const { promise: ended, resolve: end } = deferred<AgencyEnd>();
    part = await open({
      dataDir: dataDir.path,
      advertise: endpoint,
      log: (line) => log.logger.info(line),
      onEnd: (reason, exitCode) => end({ reason, exitCode }),
      onFault: (error) =>
        log.logger.error({ reason: toErrorData(error).message }, "a route failed"),
    });
    return running({ options, endpoint, part, ended, log, listener, dataDir });
  } catch (error) {
    await listener?.close(0);
    dataDir.release();
    throw error;
  }
}

function running(parts: {
  readonly options: AgencyNodeOptions;
  readonly endpoint: string;
  readonly part: AgencyPart;
  readonly ended: Promise<AgencyEnd>;
  readonly log: NodeLog;
  readonly listener: Listener;
  readonly dataDir: DataDir;
}): RunningAgencyNode {
  const { options, endpoint, part, ended, log, listener, dataDir } = parts;
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    log.logger.info("stopping");
    // First what waits is answered, then nobody is left to be answered.
    await part.close();
    await listener.close();
    dataDir.release();
  };
  log.logger.info({ endpoint, id: part.id }, "ready");
  return {
    name: options.name,
    id: part.id,
    endpoint,
    ended,
    reopenLog: () => log.reopen(),
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

function listenFor(
  { listen: address, advertise }: AgencyNodeOptions,
  { logger }: NodeLog,
  part: () => AgencyPart | undefined,
): Promise<Listener> {
  const server = new WebSocketServer({ noServer: true, ...linkServerOptions });
  const accept = (ws: WebSocket) => {
    part()
      ?.accept(ws)
      .catch((error: unknown) =>
        logger.warn({ reason: toErrorData(error).message }, "refused a link"),
      );
  };
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url?.split("?")[0] !== linkPath || part() === undefined) return false;
    server.handleUpgrade(request, socket, head, accept);
    return true;
  };
  return listen({
    ...address,
    allowedHosts: advertise === undefined ? [] : [advertise.slice(0, advertise.lastIndexOf(":"))],
    ports: undefined,
    onRequest: (request, response) => answer(request, response, part()),
    onUpgrade,
  });
}

/** The probes of the process, and the agency's routes; all of them say 503 until the member is open. */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  part: AgencyPart | undefined,
): boolean {
  if (request.url === "/livez" || request.url === "/readyz") {
    const why = request.url === "/livez" ? null : notReady(part);
    send(
      response,
      why === null ? 200 : 503,
      why === null ? { ok: true } : { ok: false, reason: why },
    );
    return true;
  }
  if (part !== undefined) return part.handle(request, response);
  send(response, 503, { message: "The member is starting." });
  return true;
}

function notReady(part: AgencyPart | undefined): string | null {
  return part === undefined ? "the member is starting" : part.notReady();
}

function send(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": bytes.length,
    ...(status === 503 ? { "Retry-After": "1" } : {}),
  });
  response.end(bytes);
}

function shownHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let settle: ((value: T) => void) | undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle?.(value) };
}
