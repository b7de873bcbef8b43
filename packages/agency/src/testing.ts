import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { linkServerOptions } from "@halon/actor";
import { parseReadRequest, parseWriteRequest } from "@halon/kv";
import { WebSocketServer } from "ws";
import type { Gossip } from "./core/gossip.ts";
import type { AgencyAnswer } from "./core/request.ts";
import type { Member, MemberOptions } from "./member.ts";
import { RunningMember } from "./running-member.ts";
import { startMember } from "./start-member.ts";

/** A member with a listener that routes upgrades, gossip and the little of `config` that members ask. */
export interface TestMember {
  readonly member: Member;
  readonly address: string;
  readonly dataDir: string;
  readonly lines: readonly string[];
  /** Reason and exit code, once it cannot go on. */
  readonly ended: Promise<{ readonly reason: string; readonly exitCode: number }>;
  /** As if its process had been killed: no word to anyone. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export type TestOptions = Partial<MemberOptions> & { readonly port?: number };

/** Longest wait for what must come about. */
export const deadlineMs = 15_000;

/** A directory that is there until `cleanUp`. */
export function makeDir(cleanUps: (() => void | Promise<void>)[]): string {
  const dir = mkdtempSync(join(tmpdir(), "halon-agency-"));
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export async function startTestMember(
  dataDir: string,
  options: TestOptions = {},
): Promise<TestMember> {
  let member: Member | null = null;
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void answer(member, request, response));
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const upgrades = new WebSocketServer({ noServer: true, ...linkServerOptions });
  server.on("upgrade", (request, socket, head) => {
    upgrades.handleUpgrade(request, socket, head, (ws) => {
      if (member === null) ws.terminate();
      // Whoever was refused is told; the test looks at what comes of it.
      else member.accept(ws).catch(() => undefined);
    });
  });
  const address = await listen(server, options.port ?? 0);
  const lines: string[] = [];
  let onEnd: MemberOptions["onEnd"] = () => undefined;
  const ended = new Promise<{ reason: string; exitCode: number }>((resolve) => {
    onEnd = (reason, exitCode) => resolve({ reason, exitCode });
  });
  const closeServer = (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  try {
    member = await startMember({
      advertise: address,
      join: [],
      agencySize: 3,
      electionMinMs: 300,
      electionMaxMs: 600,
      compactionStep: 1_000,
      compactionKeep: 50_000,
      log: (line) => lines.push(line),
      onEnd,
      ...options,
      dataDir,
    });
  } catch (error) {
    await closeServer();
    throw error;
  }
  const running = member;
  const kill = async (): Promise<void> => {
    if (running instanceof RunningMember) await running.stop();
    await closeServer();
  };
  const close = async (): Promise<void> => {
    await running.close();
    await closeServer();
  };
  return { member: running, address, dataDir, lines, ended, kill, close };
}

/** Members of one agency, started one after the other; all join the first. */
export async function startAgency(
  cleanUps: (() => void | Promise<void>)[],
  size: 1 | 3 | 5 | 7,
  options: TestOptions = {},
): Promise<TestMember[]> {
  const members: TestMember[] = [];
  for (let at = 0; at < size; at++) {
    const first = members[0];
    const join = first === undefined ? [] : [first.address];
    const one = await startTestMember(makeDir(cleanUps), { agencySize: size, join, ...options });
    cleanUps.push(() => one.close());
    members.push(one);
  }
  return members;
}

/** Waits until `look` gives something. */
export async function until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const found = look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`expected within ${deadlineMs} ms: ${what}`);
    await wait(5);
  }
}

/** The member that leads and sequences. */
export function leaderOf(members: readonly TestMember[]): Promise<TestMember> {
  return until("a leader", () =>
    members.find(({ member }) => member.status.role === "leader" && member.view.sequenced !== null),
  );
}

export function write(member: Member, body: unknown): Promise<AgencyAnswer> {
  const request = parseWriteRequest(JSON.stringify(body));
  if (!request.ok) throw new Error(request.message);
  return member.request({
    type: "write",
    transactions: request.writes,
    mode: "waitForCommitted",
  });
}

export function read(member: Member, body: unknown): Promise<AgencyAnswer> {
  const request = parseReadRequest(JSON.stringify(body));
  if (!request.ok) throw new Error(request.message);
  return member.request({ type: "read", transactions: request.reads });
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}

async function answer(
  member: Member | null,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let text = "";
  for await (const part of request) text += String(part);
  if (member === null) {
    response.writeHead(503).end();
  } else if (request.url === "/_api/agency/config") {
    response.end(JSON.stringify({ configuration: { id: member.status.id } }));
  } else {
    const told = member.gossip(JSON.parse(text) as Gossip);
    if (told.type === "gossip") response.end(JSON.stringify(told.gossip));
    else {
      const { message: errorMessage, removed } = told;
      response.writeHead(403).end(JSON.stringify({ errorMessage, removed }));
    }
  }
}
