import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { parentPort, workerData } from "node:worker_threads";
import { linkPath, linkServerOptions } from "@halon/actor";
import { agencyHandler, type Member, serveHostLog, startMember } from "@halon/agency";
import { toErrorData } from "@halon/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { version } from "../version.ts";
import type {
  FromMemberThread,
  MemberThreadData,
  MemberThreadStatus,
  ToMemberThread,
} from "./wire.ts";

const port = parentPort;
if (port === null) throw new Error("the member's entry runs in a worker thread only");
const data = workerData as MemberThreadData;
const tell = (message: FromMemberThread): void => port.postMessage(message);
const beatEveryMs = 50;
const beat = new Int32Array(data.beat);
setInterval(() => Atomics.add(beat, 0, 1), beatEveryMs).unref();

/** Of the members that a node runs; as of `halond agency` where nothing is said. */
const timing = {
  electionMinMs: 300,
  electionMaxMs: 600,
  compactionStep: 1_000,
  compactionKeep: 50_000,
} as const;
/** As of the node's own listener, which has checked them already. */
const headerBytesMax = 16 * 1024;
const headerCountMax = 100;

try {
  await run();
} catch (error) {
  end({ type: "failed", error: toErrorData(error) });
}

function end(last: FromMemberThread): void {
  tell(last);
  // Of the thread alone.
  process.exit(1);
}

async function run(): Promise<void> {
  const { dataDir, advertise, agencySize } = data;
  const settings = { ...timing, agencySize, advertise };
  const member = await startMember({
    ...settings,
    dataDir,
    join: [],
    given: data.member,
    log: (line) => tell({ type: "log", line }),
    onEnd: (reason, exitCode) => end({ type: "ended", reason, exitCode }),
  });
  const handle = agencyHandler(member, {
    ...settings,
    version,
    onFault: (error) =>
      tell({ type: "log", line: `a route of the agency failed: ${toErrorData(error).message}` }),
  });
  const server = await listen(member, (request, response) => {
    if (!handle(request, response)) refuse(request, response);
  });
  let served: { close(): void } | undefined;
  port?.on("message", (message: ToMemberThread) => {
    switch (message.type) {
      case "hostLog":
        served?.close();
        served = serveHostLog(member.hostLog, message.port);
        return;
      case "status":
        tell({ type: "statusIs", ref: message.ref, status: statusOf(member) });
        return;
      case "stop":
        void stop(member, server, served);
        return;
    }
  });
  tell({ type: "ready" });
}

async function listen(member: Member, answer: RequestListener): Promise<Server> {
  const server = createServer(
    {
      maxHeaderSize: headerBytesMax,
      // Who is slow is cut by the node's own listener; an idle connection here costs nothing and is used again.
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
    },
    answer,
  );
  // The node's own listener has counted them; what it adds are a few.
  server.maxHeadersCount = headerCountMax + 10;
  const links = new WebSocketServer({ noServer: true, ...linkServerOptions });
  const accept = (ws: WebSocket): void => {
    member.accept(ws).catch((error: unknown) => {
      tell({ type: "log", line: `refused a link: ${toErrorData(error).message}` });
    });
  };
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    if (request.url?.split("?")[0] === linkPath) {
      links.handleUpgrade(request, socket, head, accept);
    } else socket.destroy();
  });
  server.listen(data.socketPath);
  await once(server, "listening");
  return server;
}

/** A path below `/_db/_system` that is none of the agency's. */
function refuse(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? "").split("?")[0]?.slice(0, 200);
  const body = {
    code: 404,
    error: true,
    errorNum: 404,
    errorMessage: `unknown path '${path}'`,
  };
  response.writeHead(404, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}

function statusOf({ status }: Member): MemberThreadStatus {
  const { role, term, leaderId, reason, configuration, pool } = status;
  const leader = configuration?.members.find(({ id }) => id === leaderId);
  const leaderAddress = leaderId === null ? null : (leader?.address ?? pool.get(leaderId) ?? null);
  return { role, term, leaderId, leaderAddress, reason };
}

async function stop(
  member: Member,
  server: Server,
  served: { close(): void } | undefined,
): Promise<void> {
  // Hands leadership over, and answers what waits.
  await member.close();
  served?.close();
  server.close();
  server.closeIdleConnections();
  port?.close();
  // What is still connected has nothing to wait for.
  setImmediate(() => server.closeAllConnections());
}
